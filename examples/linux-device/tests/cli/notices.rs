//! Notices cut the rest of `run` short.

use core::time::Duration;
use std::{net::UdpSocket, sync::mpsc};

use providore_sign::{SoftwareKey, notice::NoticeKey};
use providore_wire::notice::Waiting;

use crate::{
    home::Home,
    server::{DEVICE, SECRET, now, start},
    signed::Server,
};

#[test]
fn run_asks_again_within_seconds_of_a_notice() {
    let (asked, questions) = mpsc::channel();
    let mut server = Server::new();
    let home = Home::speaking(
        "signed",
        start(move |request| {
            let reply = server.answer(request);
            let is_answered = reply.status == 200 && request.target == "/config";
            // Whoever listens may have heard enough.
            let _ = is_answered.then(|| asked.send(()));
            reply
        }),
    );
    // Free now, and most likely a moment later.
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let arguments = ["run", "--interval", "3600", "--notices", &port.to_string()];
    let mut device = home.command(&arguments).spawn().unwrap();
    let patience = Duration::from_secs(60);
    questions.recv_timeout(patience).unwrap();

    let mut secret = SoftwareKey::new(SECRET.as_bytes()).unwrap();
    let key = NoticeKey::derive(&mut secret, &DEVICE.parse().unwrap()).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut second = Err(mpsc::RecvTimeoutError::Timeout);
    for count in 1..=60 {
        // What comes before the rest is heard in it.
        let counter = u64::try_from(now().unix() + 60).unwrap() * 1000 + count;
        let datagram = key.sign(Waiting::CONFIG, counter).unwrap();
        sender.send_to(&datagram, ("127.0.0.1", port)).unwrap();
        second = questions.recv_timeout(Duration::from_secs(1));
        if second.is_ok() {
            break;
        }
    }
    device.kill().unwrap();
    device.wait().unwrap();
    second.unwrap();
}
