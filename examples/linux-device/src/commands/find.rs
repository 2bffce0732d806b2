//! `find`: which servers are there?

use core::net::{Ipv4Addr, SocketAddr};

use providore_client::Multicast as _;
use providore_wire::dns_sd::{Announcement, MAX_PACKET, PORT, Query, Response};
use serde_json::{Value, json};

use crate::{
    exit::Failure,
    output::Output,
    whereabouts::{NOBODY, multicast},
};

/// Asks the local network for so long, and tells what it hears as it hears it.
pub(crate) async fn find(
    seconds: u32,
    interfaces: &[Ipv4Addr],
    output: Output,
) -> Result<(), Failure> {
    let mut multicast = multicast(interfaces)?;
    let mut buffer = vec![0; MAX_PACKET];
    let mut found = Vec::new();
    let down = |error| Failure::local("the network is down", error);
    let mut left_ms = u64::from(seconds.max(1)).saturating_mul(1_000);
    let mut interval_ms = 1_000_u64;
    while left_ms > 0 {
        let question = Query::multicast().to_bytes();
        multicast.send(&question).await.map_err(down)?;
        let mut due_ms = interval_ms.min(left_ms);
        left_ms = left_ms.saturating_sub(due_ms);
        interval_ms = interval_ms.saturating_mul(2);
        while due_ms > 0 {
            let heard = multicast.receive(&mut buffer, due_ms).await.map_err(down)?;
            let Some(heard) = heard else { break };
            due_ms = due_ms.saturating_sub(heard.waited_ms.max(1));
            let packet = buffer.get(..heard.length).unwrap_or_default();
            note(packet, heard.source, &mut found, output);
        }
    }
    if found.is_empty() {
        return Err(Failure::passing(NOBODY));
    }
    Ok(())
}

fn note(packet: &[u8], source: SocketAddr, found: &mut Vec<Value>, output: Output) {
    let Some(response) = Response::parse(packet)
        .ok()
        .filter(|_| source.port() == PORT)
    else {
        return;
    };
    for announced in response.announcements().flatten() {
        let object = describe(&announced, source);
        if found.len() < MOST && !found.contains(&object) {
            output.result(&sentence(&object), &object);
            found.push(object);
        }
    }
}

/// Whoever announces more has something else in mind.
const MOST: usize = 256;

/// The address that spoke comes first.
fn describe(announced: &Announcement<'_>, source: SocketAddr) -> Value {
    let mut addresses = announced.addresses().to_vec();
    addresses.sort_by_key(|address| (*address != source.ip(), address.is_ipv6()));
    let url = |address| format!("http://{}", SocketAddr::new(address, announced.port()));
    let urls: Vec<String> = addresses.into_iter().map(url).collect();
    let usable = announced.path() == "/" && announced.version() == Announcement::VERSION;
    json!({
        "event": "server",
        "name": announced.instance(),
        "url": urls.first(),
        "urls": urls,
        "path": announced.path(),
        "version": announced.version(),
        "fingerprint": announced.fingerprint().map(ToString::to_string),
        "usable": usable,
    })
}

fn sentence(server: &Value) -> String {
    let text = |name: &str| server.get(name).and_then(Value::as_str);
    let name = text("name").unwrap_or_default();
    let url = text("url").unwrap_or("(no address)");
    let fingerprint = text("fingerprint").unwrap_or("(no fingerprint)");
    let remark = match server.get("usable") {
        Some(Value::Bool(true)) => "",
        _ => "  (speaks something else, or below a path)",
    };
    format!("{name}  {url}  {fingerprint}{remark}")
}
