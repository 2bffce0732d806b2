//! Says on the local network that there is a server: DNS-SD over multicast DNS (docs/PROTOCOL.md,
//! "Finding the server").

use std::{fs, future::Future, net::SocketAddr, time::Duration};

use mdns_sd::{DaemonEvent, IfKind, Receiver, ServiceDaemon, ServiceInfo};
use providore_pki::{Certificate, CertificateAuthority, LocalCa};
use providore_wire::dns_sd::{Announcement, Fingerprint, SERVICE};
use sha2::{Digest as _, Sha256};

use super::capped::Capped;
use crate::{
    failure::{OrFail as _, Outcome},
    settings::{Announce, Announced},
};

/// An announcement that stands.
pub(super) struct Announcer {
    daemon: ServiceDaemon,
    events: Receiver<DaemonEvent>,
    name: String,
}

/// The fingerprint of the CA's root; `None` for a CA that does not know its root.
pub(super) fn fingerprint(ca: &LocalCa) -> Outcome<Option<Fingerprint>> {
    let Some(pem) = ca.trust_anchor_pem() else {
        return Ok(None);
    };
    let root = Certificate::from_pem(pem).or_fail("read the CA's root")?;
    Ok(Some(Fingerprint::new(Sha256::digest(root.der()).into())))
}

/// Announces a server, if that is wanted and of use. A server that is not announced serves all the
/// same: the log says why, and what to do.
///
/// # Errors
/// A name that cannot be announced.
pub(super) fn begin(
    settings: &Announce,
    http: Option<SocketAddr>,
    ca: Option<Fingerprint>,
) -> Outcome<Option<Announcer>> {
    let name = settings.name.clone().unwrap_or_else(machine_name);
    Announcement::new(&name, "h", 1, &[])
        .or_fail(format!("announce the name {name:?}"))
        .map_err(|f| f.hint("use 1 to 63 bytes without control characters"))?;
    if settings.when == Announced::Never {
        return Ok(None);
    }
    let Some(http) = http else {
        tracing::info!("not announced: devices find servers that speak HTTP; give them the URL");
        return Ok(None);
    };
    if http.ip().is_loopback() && settings.when != Announced::Always {
        tracing::info!("not announced: only this machine can reach {http}");
        return Ok(None);
    }
    match announce(&name, http, ca) {
        Ok(announcer) => {
            tracing::info!(name, port = http.port(), "announced on the local network");
            Ok(Some(announcer))
        }
        Err(failure) => {
            let failure = failure.hint(
                "devices do not find this server by themselves. Does another program hold UDP port \
                 5353 for itself? Give devices the server's URL, or say --no-announce",
            );
            tracing::warn!("{failure}");
            Ok(None)
        }
    }
}

fn announce(name: &str, http: SocketAddr, ca: Option<Fingerprint>) -> Outcome<Announcer> {
    let mut attributes = vec![
        ("v", Announcement::VERSION.to_string()),
        ("path", String::from("/")),
    ];
    attributes.extend(ca.map(|ca| ("fp", ca.to_string())));
    // A name of its own: that of the machine may be spoken for by another program.
    let host = match &ca {
        Some(ca) => format!("providore-{}", ca.to_string().split_at(8).0),
        None => String::from("providore-server"),
    };
    let service = ServiceInfo::new(
        &format!("{SERVICE}."),
        name,
        &format!("{host}.local."),
        (),
        http.port(),
        attributes.as_slice(),
    );
    // Also for an address that is known: a network that comes up after the server is not looked at
    // otherwise.
    let mut service = service.or_fail("announce the server")?.enable_addr_auto();
    let daemon = ServiceDaemon::new().or_fail("speak multicast DNS")?;
    if http.ip().is_unspecified() {
        // What is announced there is of no use to anybody else.
        for loopback in [IfKind::LoopbackV4, IfKind::LoopbackV6] {
            daemon
                .disable_interface(loopback)
                .or_fail("leave loopback out")?;
        }
    } else {
        daemon
            .disable_interface(IfKind::All)
            .or_fail("choose interfaces")?;
        daemon
            .enable_interface(IfKind::Addr(http.ip()))
            .or_fail("choose an interface")?;
        service.set_interfaces(vec![IfKind::Addr(http.ip())]);
    }
    let events = daemon.monitor().or_fail("watch multicast DNS")?;
    let name = String::from(service.get_fullname());
    daemon.register(service).or_fail("announce the server")?;
    Ok(Announcer {
        daemon,
        events,
        name,
    })
}

fn tell(event: &DaemonEvent) {
    match event {
        DaemonEvent::Error(error) => tracing::warn!(%error, "multicast DNS"),
        DaemonEvent::NameChange(change) => {
            let (was, is) = (&change.original, &change.new_name);
            tracing::warn!("another server is announced as {was}; this one is {is} now");
        }
        other => tracing::debug!(event = ?other, "multicast DNS"),
    }
}

impl Announcer {
    /// Says what happens to the announcement; ready when its thread has ended.
    pub(super) fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let events = self.events.clone();
        async move {
            // Whoever is on the network can cause these.
            let lines = Capped::new("events of multicast DNS");
            while let Ok(event) = events.recv_async().await {
                lines.say(|| tell(&event));
            }
        }
    }

    /// Says goodbye, so that nobody looks for the server in vain.
    pub(super) async fn end(self) {
        let goodbye = move || {
            if let Ok(said) = self.daemon.unregister(&self.name) {
                let _ = said.recv_timeout(PATIENCE);
            }
            if let Ok(ended) = self.daemon.shutdown() {
                let _ = ended.recv_timeout(PATIENCE);
            }
        };
        let _ = tokio::task::spawn_blocking(goodbye).await;
    }
}

/// How long a goodbye may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the machine is called, up to the first dot.
fn machine_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().split('.').next().unwrap_or_default();
    let plain = |name: &&str| Announcement::new(name, "h", 1, &[]).is_ok();
    Some(name).filter(plain).unwrap_or("providore").into()
}
