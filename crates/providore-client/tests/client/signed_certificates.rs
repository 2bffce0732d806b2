//! The agent's certificate in the `Signed` dialect: a certificate has dates, and the device no clock.

use providore_client::{
    Agent, Buffers, CertificateStep, Identity, Settings,
    memory::{MemoryClock, MemoryRequest, MemoryTransport},
};
use providore_pki::SoftwareKey;
use providore_wire::Timestamp;

use crate::{
    agent::{answer, run, settings},
    certificates::{authority, issue},
    signed_agent::{World, platform_in},
    signed_support::{Delivered, device, plain},
    support::{Reply, at},
};

/// A device whose clock shows that gets a certificate; expects these questions, and none for a
/// second look.
fn check(clock: MemoryClock, settings: Settings, expected: &[&str]) {
    let world = World::new();
    let mut platform = platform_in(&world, clock);
    let (ca, root) = authority(1);
    let there = alloc::rc::Rc::clone(&world);
    let mut there_is: Option<Vec<u8>> = None;
    platform.transport = MemoryTransport::new(Box::new(move |request: MemoryRequest| {
        let mut world = there.borrow_mut();
        let path = request.target.clone();
        if !path.starts_with("/certificate") {
            return world.deliver(request);
        }
        let request = Delivered::from(request);
        world.asked.push(request.clone());
        Ok(answer(match path.as_str() {
            "/certificates/ca.pem" => Reply::unsigned(200, root.as_bytes()),
            _ if world.server.admit(&request).is_err() => world.server.refusal(),
            "/certificate" => match &there_is {
                Some(chain) => world.server.sign(&request, plain(200, chain)),
                None => world.server.sign(&request, plain(404, b"")),
            },
            _ => {
                let chain = issue(&ca, &request.body, 0, 1);
                there_is = Some(chain.clone());
                world.server.sign(&request, plain(200, &chain))
            }
        }))
    }));
    let mut key = SoftwareKey::from_scalar(&[7; 32]).unwrap();
    let (mut chunk, mut document) = ([0; 512], [0; 4096]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform, settings, buffers);
    agent = agent.with_identity(Identity::new(&mut key));
    let day = run(agent.day());
    let step = day.certificate.unwrap();
    assert!(matches!(step, CertificateStep::Stored { .. }), "{step:?}");
    assert_eq!(world.borrow().targets(), expected);
    let step = run(agent.check_certificate()).unwrap();
    assert!(matches!(step, CertificateStep::Kept { .. }), "{step:?}");
    // The server was asked whether it still vouches for it, and nothing else.
    let world = world.borrow();
    let asked = world.targets();
    let (first, second) = asked.split_at(expected.len());
    assert_eq!(first, expected);
    assert_eq!(second, ["/certificate"]);
}

#[test]
fn a_device_of_1970_or_2100_gets_a_certificate_for_today() {
    let mut alone = settings();
    (alone.config, alone.firmware, alone.secret) = (false, false, false);
    let wrong =
        [0, 4_102_444_800].map(|unix| MemoryClock::new(Timestamp::from_unix(unix).unwrap()));
    let certificate = ["/certificates/request", "/certificates/ca.pem"];
    for clock in [wrong[0], wrong[1], MemoryClock::unset()] {
        let expected = [&["/time", "/time"][..], &certificate].concat();
        check(clock, alone.clone(), &expected);
    }
    let expected = [&["/time"][..], &certificate].concat();
    check(MemoryClock::new(at(0)), alone.clone(), &expected);
    // The configuration came first, and told the time.
    alone.config = true;
    let expected = [&["/config"][..], &certificate].concat();
    check(MemoryClock::new(at(0)), alone, &expected);
}
