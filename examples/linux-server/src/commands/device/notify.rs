//! `device notify`: one datagram that says what waits.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket},
};

use clap::Args;
use providore_server_core::Dialect;
use providore_wire::{DeviceId, notice::Waiting};
use serde_json::json;

use crate::{
    Common, clock,
    commands::{
        arguments,
        print::{say, say_json},
        records,
    },
    failure::{Failure, OrFail as _, Outcome},
};

/// Which device is told, and what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server device notify kitchen-lamp --to 10.0.0.17:4711 --config
  providore-server device notify kitchen-lamp --to 10.0.0.255:4711 --firmware --secret

A device that listens (providore-device run --notices 4711) asks within seconds instead of at the end
of its interval, at most once a minute. The datagram is signed for this device alone; it may be
sent to a broadcast address. Whether it arrives is not known: what waits comes with the next look
anyway.")]
pub(crate) struct NotifyArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// Where it listens: address or name, and port.
    #[arg(long, value_name = "ADDR:PORT")]
    to: String,
    #[command(flatten)]
    waiting: WaitingArgs,
}

/// What waits.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
#[expect(clippy::struct_excessive_bools, reason = "these are four switches")]
struct WaitingArgs {
    /// Another configuration waits.
    #[arg(long)]
    config: bool,
    /// Firmware waits.
    #[arg(long)]
    firmware: bool,
    /// The certificate should be renewed.
    #[arg(long)]
    certificate: bool,
    /// Another secret waits.
    #[arg(long)]
    secret: bool,
}

impl WaitingArgs {
    fn waiting(&self) -> Option<Waiting> {
        let kinds = [
            (self.config, Waiting::CONFIG),
            (self.firmware, Waiting::FIRMWARE),
            (self.certificate, Waiting::CERTIFICATE),
            (self.secret, Waiting::SECRET),
        ];
        let wanted = kinds.into_iter().filter(|(wanted, _)| *wanted);
        wanted
            .map(|(_, kind)| kind)
            .reduce(|one, other| one | other)
    }
}

pub(super) fn run(common: &Common, args: &NotifyArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let device = records::find(&folder.store()?, &args.id)?;
    if device.dialect < Dialect::Signed {
        return Err(Failure::new(format!(
            "{} may speak the original dialect, which has no notices",
            args.id
        ))
        .hint(
            "a device that has spoken signed once is shown as such: providore-server device show",
        ));
    }
    let waiting = args.waiting.waiting();
    let waiting = waiting.ok_or_else(|| Failure::new("nothing waits".to_owned()))?;
    let key = device.notice_key().or_fail("derive the key of notices")?;
    let datagram = key.sign(waiting, clock::now_unix_ms());
    let datagram = datagram.or_fail("sign the notice")?;
    let to = send(&args.to, &datagram).or_fail(format!("send it to {}", args.to))?;
    if common.json {
        return say_json(&json!({
            "id": args.id.as_str(),
            "to": to.to_string(),
            "waiting": waiting.to_string(),
        }));
    }
    say(&format!("Sent to {to} for {}: {waiting}.\n", args.id))
}

/// Sends to the first address that takes it.
fn send(to: &str, datagram: &[u8]) -> io::Result<SocketAddr> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in to.to_socket_addrs()? {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let sent = UdpSocket::bind(any).and_then(|socket| {
            socket.set_broadcast(true)?;
            socket.send_to(datagram, address)
        });
        match sent {
            Ok(_) => return Ok(address),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
