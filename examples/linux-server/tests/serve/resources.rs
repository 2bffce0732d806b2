//! What the system gives, and what is made of it.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::running::{SECRET, Site, read_answer, signed};

/// Serves in a shell that sets limits before.
fn serve_with_limits(site: &Site, limits: &str, args: &[&str]) -> super::running::Running {
    let mut shell = Command::new("sh");
    let run = format!("{limits} && exec \"$0\" \"$@\"");
    shell.args(["-c", &run]).arg(site.command().get_program());
    shell.env("PROVIDORE_DATA", site.folder.path());
    Site::serve_as(shell, args)
}

#[test]
fn a_low_soft_limit_of_files_is_raised() {
    let site = Site::new();
    let server = serve_with_limits(&site, "ulimit -Sn 200", &[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.process.id())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let mut numbers = files.unwrap().split_ascii_whitespace().skip(3);
    assert_eq!(numbers.next(), numbers.next(), "{limits}");
}

/// A connection from this address that says nothing.
fn idle(from: &str, to: SocketAddr) -> Option<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    let from: SocketAddr = format!("{from}:0").parse().unwrap();
    socket.bind(&from.into()).ok()?;
    socket
        .connect_timeout(&to.into(), Duration::from_secs(1))
        .ok()?;
    Some(socket.into())
}

#[test]
fn idle_connections_leave_room_for_files() {
    let site = Site::new();
    // Nobody is cut off for being idle while this goes on.
    let settings =
        "http = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\n[limits]\nrequest_timeout_s = 300\n";
    site.write("patient.toml", settings);
    let settings = site.path("patient.toml");
    let args = ["--config", settings.to_str().unwrap()];
    let server = serve_with_limits(&site, "ulimit -n 256", &args);
    let (http, https) = (server.http.unwrap(), server.https.unwrap());
    let mut good = server.connect();
    let mut ask = |target: &str| {
        let request = signed("dev1", SECRET, "GET", target, "1.0.0", b"");
        good.write_all(&request).unwrap();
        read_answer(&mut good).status
    };
    assert_eq!(ask("/config"), 200);
    let crowd: Vec<_> = (0..100)
        .flat_map(|_| [idle("127.0.0.2", http), idle("127.0.0.3", https)])
        .collect();
    assert!(crowd.iter().flatten().count() >= 60);
    thread::sleep(Duration::from_secs(1));
    site.write("configStore/dev1/two.json", r#"{"version":"later"}"#);
    assert_eq!(ask("/firmware?version=1.0.0"), 200);
    assert_eq!(ask("/config"), 200);
    let mut disable = site.command();
    let disabled = disable
        .args(["device", "disable", "dev1"])
        .stdout(Stdio::null());
    assert!(disabled.status().unwrap().success());
    let began = Instant::now();
    while ask("/config") != 401 {
        assert!(began.elapsed() < Duration::from_secs(5), "still let in");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn memory_with_secrets_in_it_is_nobodys_to_read() {
    let site = Site::new();
    let me = fs::metadata("/proc/self").unwrap().uid();
    // Root owns what belongs to a process that cannot be dumped, so that somebody else has to run it.
    let somebody = if me == 0 { 65534 } else { me };
    let mut command = site.command();
    if me == 0 {
        let mut all = Command::new("chown");
        all.arg("-R").arg(somebody.to_string());
        assert!(all.arg(site.folder.path()).status().unwrap().success());
        command.uid(somebody);
    }
    let server = Site::serve_as(command, &[]);
    let memory = fs::metadata(format!("/proc/{}/mem", server.process.id())).unwrap();
    assert_eq!(memory.uid(), 0);
}
