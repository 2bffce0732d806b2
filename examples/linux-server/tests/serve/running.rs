//! A server that runs, and requests to it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant, SystemTime},
};

use providore_sign::{
    HeaderInstructions, SoftwareKey,
    original::{RequestToSign, ResponsePolicy, ResponseVerifier, sign_request},
};
use providore_wire::{Timestamp, original::ResponseHead};
use tempfile::TempDir;

pub(super) const SECRET: &str = "the secret of dev1";

/// A data folder with the device `dev1`, its configuration, and two firmware versions.
pub(super) struct Site {
    pub(super) folder: TempDir,
}

/// The process, and what it logs.
pub(super) struct Running {
    pub(super) process: Child,
    pub(super) http: Option<SocketAddr>,
    pub(super) https: Option<SocketAddr>,
    log: Receiver<String>,
    /// What it said until it served.
    started: String,
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The head, byte for byte.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Site {
    pub(super) fn new() -> Self {
        let site = Self {
            folder: TempDir::new().unwrap(),
        };
        site.write("configStore/devices.json", devices(&[("dev1", SECRET)]));
        site.write("configStore/dev1/one.json", r#"{"version":"one"}"#);
        site.write("configStore/dev1/two.json", r#"{"version":"two"}"#);
        site.write("firmwareStore/board/1.0.0/firmware.bin", vec![0xE9; 1000]);
        site.write(
            "firmwareStore/board/2.0.0/firmware.bin",
            vec![0xEA; 3_000_000],
        );
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_providore-server"));
        command
            .env("PROVIDORE_DATA", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Serves on free ports, with JSON logs to read along.
    pub(super) fn serve(&self, args: &[&str]) -> Running {
        self.serve_with(args, &[])
    }

    /// Serves, and has said `what` by then.
    pub(super) fn serve_until(&self, args: &[&str], what: &str) -> Running {
        let running = self.serve(args);
        running.wait_for_earlier(what);
        running
    }

    /// Serves in an environment.
    pub(super) fn serve_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Running {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        Self::serve_as(command, args)
    }

    /// Serves by this command, to which the arguments are added.
    pub(super) fn serve_as(mut command: Command, args: &[&str]) -> Running {
        command.args(["serve", "--log-format", "json"]).args(args);
        if !args.contains(&"--config") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut running = Running {
            process,
            http: None,
            https: None,
            log,
            started: String::new(),
        };
        let (line, started) = running.read_until("\"serving\"");
        running.started = started;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| line[name].as_str().map(|text| text.parse().unwrap());
        (running.http, running.https) = (address("http"), address("https"));
        running
    }
}

impl Running {
    /// The next line of the log that holds `what`, within ten seconds.
    pub(super) fn wait_for(&self, what: &str) -> String {
        self.read_until(what).0
    }

    /// The next line of the log that holds `what`, and those before it. A key that is encrypted
    /// takes seconds to open on a busy machine.
    fn read_until(&self, what: &str) -> (String, String) {
        let began = Instant::now();
        let mut before = String::new();
        while let Some(left) = Duration::from_secs(30).checked_sub(began.elapsed()) {
            match self.log.recv_timeout(left) {
                Ok(line) if line.contains(what) => return (line, before),
                Ok(line) => before.extend([line.as_str(), "\n"]),
                Err(_) => break,
            }
        }
        panic!("the log never said {what}:\n{before}");
    }

    /// What it said until it served.
    pub(super) fn said_so_far(&self) -> &str {
        &self.started
    }

    /// It said `what` before it served.
    pub(super) fn wait_for_earlier(&self, what: &str) {
        assert!(self.started.contains(what), "not {what}:\n{}", self.started);
    }

    pub(super) fn connect(&self) -> TcpStream {
        connect(self.http.unwrap())
    }

    /// Sends bytes and reads one answer.
    pub(super) fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        raw(self.http.unwrap(), bytes)
    }

    /// What is in the log and was not read, up to now.
    pub(super) fn logged(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// A request of `dev1`, signed now.
    pub(super) fn ask(&self, method: &str, target: &str, version: &str, body: &[u8]) -> Answer {
        self.raw(signed("dev1", SECRET, method, target, version, body))
    }

    pub(super) fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.process.wait().unwrap().code()
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether the answer bears a device's secret.
    pub(super) fn bears(&self, secret: &str) -> bool {
        let fields: Vec<(&str, &str)> = self
            .head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .collect();
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        let Ok(head) = ResponseHead::parse(fields) else {
            return false;
        };
        let key = SoftwareKey::new(secret.as_bytes()).unwrap();
        let mut verifier =
            ResponseVerifier::begin(key, head, &ResponsePolicy::default(), now(), now()).unwrap();
        verifier.update(&self.body).unwrap();
        verifier.finish().is_ok()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Sends bytes to a server and reads one answer.
pub(super) fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
    let mut stream = connect(address);
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes.as_ref());
    read_answer(&mut stream)
}

/// A value of `GET /metrics`, 0 if it is not there.
pub(super) fn metric(address: SocketAddr, name: &str) -> u64 {
    let metrics = raw(address, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let line = metrics
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

pub(super) fn devices(devices: &[(&str, &str)]) -> String {
    let entry = |secret: &str| {
        serde_json::json!({
            "secretKey": secret,
            "firmware": [
                { "type": "board", "version": "1.0.0", "config": "one.json", "next": "2.0.0",
                  "file": "firmware.bin" },
                { "type": "board", "version": "2.0.0", "config": "two.json",
                  "file": "firmware.bin" },
            ],
        })
    };
    let devices: serde_json::Map<_, _> = devices
        .iter()
        .map(|(id, secret)| ((*id).into(), entry(secret)))
        .collect();
    serde_json::to_string(&devices).unwrap()
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap()).unwrap()
}

#[expect(clippy::too_many_arguments, reason = "the parts of a request")]
pub(super) fn signed(
    device: &str,
    secret: &str,
    method: &str,
    target: &str,
    version: &str,
    body: &[u8],
) -> Vec<u8> {
    let request = RequestToSign {
        device: &device.parse().unwrap(),
        method: method.parse().unwrap(),
        path: target.split('?').next().unwrap(),
        version: &version.parse().unwrap(),
        body,
    };
    let mut key = SoftwareKey::new(secret.as_bytes()).unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(&mut key, &request, now(), 900, &mut memory).unwrap();
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in headers.fields() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        text.extend([
            "content-type: text/plain\r\ncontent-length: ",
            &body.len().to_string(),
        ]);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    [text.into_bytes(), body.to_vec()].concat()
}

/// Reads one answer; a connection that ends before any byte is status 0.
pub(super) fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    let (head, body) = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            break (String::from_utf8(bytes).unwrap(), body);
        }
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&chunk[..length]),
            _ => {
                return Answer {
                    status: 0,
                    head: String::new(),
                    body: bytes,
                };
            }
        }
    };
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body };
    let length = answer.field("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    let body = &mut answer.body;
    while body.len() < length {
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => body.extend_from_slice(&chunk[..read]),
            _ => break,
        }
    }
    answer
}
