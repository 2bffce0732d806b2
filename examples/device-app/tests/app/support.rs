//! A device in a world, and what it is there for.

use alloc::rc::Rc;
use core::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::Poll,
};

use device_app::{Application, DeviceApp, Restart, Status};
use futures_lite::future::or;
use providore_client::{Buffers, Event, NoNotices, NoticeSource, memory::Power};
use providore_pki::manifest::AuthorKeys;
use providore_testkit::simulator::{Fault, HARDWARE, Unit, Weather, World, author};
use providore_wire::Dialect;

/// What the device is there for: it notes what it is told.
#[derive(Default)]
pub(crate) struct Lamp {
    pub(crate) applied: RefCell<Vec<String>>,
    pub(crate) statuses: RefCell<Vec<Status>>,
    pub(crate) events: RefCell<Vec<String>>,
    /// What the firmware says of itself.
    pub(crate) defect: Cell<Option<&'static str>>,
    /// Whether the configuration in use takes the device off the network.
    cut_off: Rc<Cell<bool>>,
}

/// A configuration with which no server is reached.
pub(crate) const CUTS_OFF: &str = r#"{"wifi":"of somebody else"}"#;

/// A configuration that the application does not want.
pub(crate) const REFUSED: &str = r#"{"interval":-1}"#;

impl Application for Lamp {
    fn apply_config(&self, config: &[u8]) -> Result<(), &'static str> {
        let config = core::str::from_utf8(config).unwrap();
        if config == REFUSED {
            return Err("the interval is negative");
        }
        self.cut_off.set(config == CUTS_OFF);
        self.applied.borrow_mut().push(config.into());
        Ok(())
    }

    fn self_test(&self) -> Result<(), &'static str> {
        self.defect.get().map_or(Ok(()), Err)
    }

    fn status(&self, status: Status) {
        self.statuses.borrow_mut().push(status);
    }

    fn event(&self, event: &Event<'_>) {
        self.events.borrow_mut().push(format!("{event:?}"));
    }
}

impl Lamp {
    /// The configuration in use.
    pub(crate) fn config(&self) -> Option<String> {
        self.applied.borrow().last().cloned()
    }

    /// Fair weather, except where the configuration takes the device off the network.
    pub(crate) fn weather(&self) -> Weather {
        let cut_off = Rc::clone(&self.cut_off);
        Weather::new(move |_| {
            cut_off
                .get()
                .then_some(Fault::RequestLost)
                .into_iter()
                .collect()
        })
    }
}

/// A device without a clock, and a world for it in which 2.0.0 waits.
pub(crate) fn device(lamp: &Lamp) -> (World, Unit) {
    let world = World::new();
    let unit = Unit::speaking(Dialect::Signed, &world, "dev1", lamp.weather());
    world.sign_releases(&unit.peer);
    unit.remove_clock();
    (world, unit)
}

/// The same device, which is to keep its firmware.
pub(crate) fn settled_device(lamp: &Lamp) -> (World, Unit) {
    let (world, mut unit) = device(lamp);
    unit.settings.firmware = false;
    (world, unit)
}

/// Lets firmware and records depend on the same power.
pub(crate) fn wire_up(unit: &mut Unit) -> Power {
    let power = Power::new();
    unit.slot = core::mem::take(&mut unit.slot).with_power(&power);
    unit.storage = core::mem::take(&mut unit.storage).with_power(&power);
    power
}

/// Puts another configuration onto the server.
pub(crate) fn set_config(world: &World, unit: &Unit, config: &str) {
    let (id, version) = (unit.peer.id.clone(), unit.version());
    let put = world
        .store()
        .put_config(id, Some(version), config.as_bytes().to_vec());
    world.run(put);
}

/// Lives for so many seconds, through restarts; how many there were. It begins with a start, and ends
/// without power: at the latest then, or when a write fails.
pub(crate) fn live(world: &World, unit: &mut Unit, lamp: &Lamp, seconds: u64) -> u32 {
    live_with(world, unit, lamp, seconds, &mut NoNotices)
}

pub(crate) fn live_with(
    world: &World,
    unit: &mut Unit,
    lamp: &Lamp,
    seconds: u64,
    notices: &mut impl NoticeSource,
) -> u32 {
    let end_ms = world.timeline().now_ms() + seconds * 1000;
    let power = unit.storage.power_mut().clone();
    let authors = [author(1).public_key(), author(2).public_key()];
    let hardware = HARDWARE.parse().unwrap();
    let mut restarts = 0;
    loop {
        unit.slot.restart();
        let board = unit.board();
        let (mut chunk, mut document) = ([0; 1024], [0; 4096]);
        let buffers = Buffers {
            chunk: &mut chunk,
            document: &mut document,
        };
        let app = DeviceApp::new(board.device, board.platform, board.settings, buffers)
            .with_authors(AuthorKeys::new(&authors).unwrap(), &hardware, 1)
            .with_notices(&mut *notices);
        #[cfg(feature = "certificates")]
        let app = app.with_identity(board.key, board.roots_pem);
        let left_ms = end_ms.saturating_sub(world.timeline().now_ms());
        let run = async { Some(app.run(lamp).await) };
        let end = async {
            world.timeline().sleep_ms(left_ms).await;
            None
        };
        let cut = poll_fn(|_| {
            let is_out = power.is_out();
            if is_out {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        });
        match world.run(or(or(cut, end), run)) {
            None => return restarts,
            Some(Restart::NewFirmware | Restart::PreviousFirmware | _) => restarts += 1,
        }
    }
}

/// The reports that the server took.
pub(crate) fn reports(unit: &Unit) -> Vec<String> {
    let log = unit.link.log().iter();
    let reports = log.filter(|it| it.request.target == "/report" && it.answer.status == 204);
    reports
        .map(|it| String::from_utf8(it.request.body.clone()).unwrap())
        .collect()
}
