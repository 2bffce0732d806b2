//! A device in a world, and what it is there for.

use alloc::rc::Rc;
use core::{
    cell::{Cell, RefCell},
    future::pending,
};

use device_app::{Application, DeviceApp, Restart, Status};
use futures_lite::future::or;
use providore_client::{
    Event, NoticeSource, Platform, Record, Storage, StoreError, memory::MemoryStorage,
};
use providore_testkit::simulator::{Board, Fault, Unit, Weather, World};
use providore_wire::Dialect;

/// What the device is there for: it notes what it is told.
#[derive(Default)]
pub(crate) struct Lamp {
    pub(crate) applied: RefCell<Vec<String>>,
    pub(crate) statuses: RefCell<Vec<Status>>,
    pub(crate) events: RefCell<Vec<String>>,
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

/// A device without a clock that is to keep its configuration, and a world for it.
pub(crate) fn device(lamp: &Lamp) -> (World, Unit) {
    let world = World::new();
    let mut unit = Unit::speaking(Dialect::Signed, &world, "dev1", lamp.weather());
    unit.remove_clock();
    unit.settings.firmware = false;
    (world, unit)
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
/// without power.
pub(crate) fn live(world: &World, unit: &mut Unit, lamp: &Lamp, seconds: u64) -> u32 {
    live_with(world, unit, lamp, seconds, &mut providore_client::NoNotices)
}

pub(crate) fn live_with(
    world: &World,
    unit: &mut Unit,
    lamp: &Lamp,
    seconds: u64,
    notices: &mut impl NoticeSource,
) -> u32 {
    let end_ms = world.timeline().now_ms() + seconds * 1000;
    let mut restarts = 0;
    loop {
        let Board {
            device,
            platform,
            settings,
            buffers,
            ..
        } = unit.board();
        let platform = Platform {
            storage: Mortal(platform.storage),
            transport: platform.transport,
            locator: platform.locator,
            slot: platform.slot,
            clock: platform.clock,
            entropy: platform.entropy,
        };
        let app = DeviceApp::new(device, platform, settings, buffers).with_notices(&mut *notices);
        let left_ms = end_ms.saturating_sub(world.timeline().now_ms());
        let run = async { Some(app.run(lamp).await) };
        let end = async {
            world.timeline().sleep_ms(left_ms).await;
            None
        };
        match world.run(or(end, run)) {
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

/// Storage of a device whose power fails with the first write that fails: nothing happens after that.
struct Mortal<'s>(&'s mut MemoryStorage);

impl Storage for Mortal<'_> {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        self.0.load(record, buffer).await
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        match self.0.store(record, content).await {
            Ok(()) => Ok(()),
            Err(_) => pending().await,
        }
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        match self.0.remove(record).await {
            Ok(()) => Ok(()),
            Err(_) => pending().await,
        }
    }
}
