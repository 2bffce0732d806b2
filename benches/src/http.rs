//! The real server over loopback, beside a plain axum server with the same bytes.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{Router, http::header, routing::get};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    original::{RequestToSign, sign_request},
};
use providore_wire::{Method, Timestamp};

use crate::{
    Outcome,
    load::{download, downloads, keep_asking},
    measure::now,
    report::Report,
};

pub(crate) const CONFIG_LEN: usize = 2048;
pub(crate) const IMAGE_LEN: usize = 64 * 1024 * 1024;
pub(crate) const ROUNDS: usize = 5;

/// Signed `GET /config` over 64 connections, beside a handler with the same bytes unsigned.
pub(crate) fn config(report: &mut Report) -> Outcome {
    let pair = Pair::start()?;
    let request = signed("/config", "/config")?;
    let (mut ours, mut ceilings, mut worst) = (Vec::new(), Vec::new(), Duration::ZERO);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for _ in 0..ROUNDS {
        let length = Duration::from_secs(2);
        let load = runtime.block_on(keep_asking(pair.port, &request, 64, length))?;
        ours.push(load.per_second);
        worst = worst.max(load.p99);
        let plain = runtime.block_on(keep_asking(pair.ceiling_port, &request, 64, length))?;
        ceilings.push(plain.per_second);
    }
    let (ours, ceiling) = (middle(ours), middle(ceilings));
    let share = ours / ceiling;
    report.add(
        "signed `GET /config` of 2 KiB over loopback, 64 connections",
        &format!("{ours:.0}/s, {:.0} %", share * 100.0),
        &format!("{ceiling:.0}/s, axum with the same bytes unsigned"),
        ("at least 60 %", share >= 0.6),
    );
    report.add(
        "the same, p99 (worst of five runs)",
        &format!("{:.1} ms", worst.as_secs_f64() * 1e3),
        "none",
        ("below 10 ms", worst < Duration::from_millis(10)),
    );
    Ok(())
}

/// A 64 MiB image, beside the same file served by tower-http; memory; and others meanwhile.
pub(crate) fn firmware(report: &mut Report) -> Outcome {
    let pair = Pair::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let config = signed("/config", "/config")?;
    runtime.block_on(keep_asking(
        pair.port,
        &config,
        1,
        Duration::from_millis(200),
    ))?;
    let before = pair.server.resident_mb()?;
    let image = signed("/firmware", "/firmware")?;
    let first = runtime.block_on(download(pair.port, &image))?;
    let (mut ours, mut ceilings) = (Vec::new(), Vec::new());
    let plain = "GET /firmware.bin HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..ROUNDS {
        ours.push(
            runtime
                .block_on(downloads(pair.port, &image, 3))?
                .as_secs_f64(),
        );
        ceilings.push(
            runtime
                .block_on(downloads(pair.ceiling_port, plain, 3))?
                .as_secs_f64(),
        );
    }
    let speed = |seconds: f64| IMAGE_LEN as f64 / seconds / 1e6;
    let (ours, ceiling) = (speed(middle(ours)), speed(middle(ceilings)));
    let share = ours / ceiling;
    report.add(
        "64 MiB image, its MAC state cached",
        &format!("{ours:.0} MB/s, {:.0} %", share * 100.0),
        &format!("{ceiling:.0} MB/s, tower-http with the same file"),
        ("at least 60 %", share >= 0.6),
    );
    report.add(
        "64 MiB image, first download of a device",
        &format!("{:.0} MB/s", speed(first.as_secs_f64())),
        "none",
        ("none", true),
    );
    let growth = pair.server.peak_mb()? - before;
    report.add(
        "growth of resident memory by 16 downloads of 64 MiB",
        &format!("{growth:.1} MB"),
        "none",
        ("below 16 MB", growth < 16.0),
    );
    let held = runtime.block_on(async {
        let downloads = tokio::spawn({
            let (image, port) = (image.clone(), pair.port);
            async move { downloads(port, &image, 8).await }
        });
        let load = keep_asking(pair.port, &config, 4, Duration::from_secs(1)).await?;
        downloads.await??;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(load.p99)
    })?;
    report.add(
        "p99 of `GET /config` while images are downloaded",
        &format!("{:.1} ms", held.as_secs_f64() * 1e3),
        "none",
        ("below 50 ms", held < Duration::from_millis(50)),
    );
    Ok(())
}

/// The plain server: the same bytes, unsigned.
pub(crate) fn ceiling(folder: &str, port: u16) -> Outcome {
    let config = fs::read(Path::new(folder).join("configStore/bench/config.json"))?;
    let config = axum::body::Bytes::from(config);
    let image = Path::new(folder).join("firmwareStore/board/1.0.0/firmware.bin");
    let router = Router::new()
        .route(
            "/config",
            get(move || async move { ([(header::CONTENT_TYPE, "application/json")], config) }),
        )
        .route_service("/firmware.bin", tower_http::services::ServeFile::new(image));
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
            Ok(axum::serve(listener, router).await?)
        })
}

/// A device of a first Providore.
const ORIGINAL_DEVICE: &str = r#"{"bench":{"secretKey":"bench secret","firmware":[{"type":"board","version":"1.0.0","file":"firmware.bin","config":"config.json"}]}}"#;

/// Our server and the plain one, over the same folder.
pub(crate) struct Pair {
    server: Process,
    pub(crate) port: u16,
    pub(crate) ceiling_port: u16,
    _ceiling: Process,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn start() -> Outcome<Self> {
        Self::start_with(ORIGINAL_DEVICE, |_| Ok(()))
    }

    /// Starts both over a folder with these devices; `more` puts more files there.
    pub(crate) fn start_with(devices: &str, more: impl FnOnce(&Path) -> Outcome) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let write = |name: &str, bytes: &[u8]| -> Outcome {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            Ok(fs::write(path, bytes)?)
        };
        more(folder.path())?;
        write("configStore/devices.json", devices.as_bytes())?;
        let filler = "x".repeat(CONFIG_LEN.saturating_sub(10));
        write(
            "configStore/bench/config.json",
            format!("{{\"pad\":\"{filler}\"}}").as_bytes(),
        )?;
        let image: Vec<u8> = (0..IMAGE_LEN).map(|index| (index % 251) as u8).collect();
        write("firmwareStore/board/1.0.0/firmware.bin", &image)?;
        let (port, ceiling_port) = (free_port()?, free_port()?);
        let server = server(folder.path(), port)?;
        let ceiling = Process::start(
            Command::new(std::env::current_exe()?)
                .arg("--ceiling")
                .arg(folder.path())
                .arg(ceiling_port.to_string()),
            ceiling_port,
        )?;
        Ok(Self {
            server,
            port,
            ceiling_port,
            _ceiling: ceiling,
            _folder: folder,
        })
    }
}

/// Our server on a folder, with its rate limits raised.
pub(crate) fn server(folder: &Path, port: u16) -> Outcome<Process> {
    let binary = std::env::current_exe()?.with_file_name("providore-server");
    let most = "1000000000";
    Process::start(
        Command::new(&binary)
            .arg("--data")
            .arg(folder)
            .args(["serve", "--log-level", "error", "--http"])
            .arg(SocketAddr::from(([127, 0, 0, 1], port)).to_string())
            .args([
                "--device-per-minute",
                most,
                "--address-per-second",
                "100000000",
            ]),
        port,
    )
    .map_err(|error| format!("{}: {error}; build it first", binary.display()).into())
}

/// A process that ends with its owner.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Outcome<Self> {
        let process = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let began = now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                return Err("it does not listen after 20 s".into());
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Resident memory of a process, in MB of 10⁶ bytes.
pub(crate) fn resident_mb_of(process: u32) -> Outcome<f64> {
    memory_mb(process, "VmRSS:")
}

/// A figure of a process's memory.
pub(crate) fn memory_mb(process: u32, name: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
    let line = lines.next().ok_or("no such line")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}

/// A port that nobody uses now.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The text of a signed request; good for 15 minutes, since reads may repeat.
#[expect(
    clippy::disallowed_methods,
    reason = "a request is signed with the time"
)]
fn signed(target: &str, path: &str) -> Outcome<String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = Timestamp::from_unix(i64::try_from(since.as_secs())?).ok_or("time")?;
    let request = RequestToSign {
        device: &"bench".parse()?,
        method: Method::Get,
        path,
        version: &"1.0.0".parse()?,
        body: b"",
    };
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(
        &mut SoftwareKey::new(b"bench secret")?,
        &request,
        now,
        900,
        &mut memory,
    )?;
    let mut text = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers.fields() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    Ok(text)
}

pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
