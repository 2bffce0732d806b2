//! One server and virtual time.

use alloc::{collections::BTreeMap, rc::Rc, sync::Arc};
use core::{cell::RefCell, future::Future};

use futures_lite::future::block_on;
use providore_server_core::{CertificateLog as _, Issued, MemoryStore, Release, Settings};
use providore_wire::{FirmwareVersion, Timestamp};

use super::{CONFIG_1, CONFIG_2, Task, Timeline, TokenBucket, image};
use crate::{
    SharedStore,
    parties::{Answer, Heard, Message, Peer, Site, at},
};

type Store = SharedStore<MemoryStore>;

/// A real server, its store, and the time that it shares with all devices. A clone is the same.
#[derive(Debug, Clone)]
pub struct World(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    timeline: Timeline,
    store: Store,
    settings: Settings,
    limits: Option<TokenBucket>,
    site: RefCell<Site<Store>>,
    /// Requests that arrive only after their device has given up.
    late: RefCell<BTreeMap<(u64, usize), Message>>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A server with the settings by default and no limits.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings::DEFAULT, None)
    }

    /// A server with these settings, and limits on how often it may be asked.
    #[must_use]
    pub fn with(settings: Settings, limits: Option<TokenBucket>) -> Self {
        let store = SharedStore::new(MemoryStore::default());
        let site = site(&store, settings, limits.as_ref(), at(-3600));
        Self(Rc::new(Inner {
            timeline: Timeline::default(),
            store,
            settings,
            limits,
            site: RefCell::new(site),
            late: RefCell::default(),
        }))
    }

    /// The store, which outlives every restart.
    #[must_use]
    pub fn store(&self) -> &SharedStore<MemoryStore> {
        &self.0.store
    }

    /// Virtual time.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.0.timeline
    }

    /// What time it is at the server.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        moment(self.0.timeline.now_ms())
    }

    /// Runs one future to its end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.timeline.run(future)
    }

    /// Runs futures side by side to their ends.
    #[must_use]
    pub fn run_all<T>(&self, futures: Vec<Task<'_, T>>) -> Vec<T> {
        self.0.timeline.run_all(futures)
    }

    /// Lets time pass.
    pub fn pass_s(&self, seconds: u64) {
        self.run(self.0.timeline.sleep_ms(seconds.saturating_mul(1000)));
    }

    /// Another server over the same store: what was only in memory is forgotten.
    pub fn restart(&self) {
        let inner = &*self.0;
        let limits = inner.limits.as_ref();
        let site = site(&inner.store, inner.settings, limits, self.now());
        *inner.site.borrow_mut() = site;
    }

    /// Tells the store of a device that runs 1.0.0 and shall run 2.0.0, with a configuration and
    /// an image for each.
    ///
    /// # Panics
    /// Never, with these names.
    pub fn register(&self, peer: &Peer) {
        let name = |text: &str| text.parse::<FirmwareVersion>().expect("a version");
        let release = |version: &str, next: Option<&str>| Release {
            hardware: name("board"),
            version: name(version),
            file: None,
            config: None,
            next: next.map(name),
            order: None,
        };
        let mut device = peer.record();
        device.releases = vec![release("1.0.0", Some("2.0.0")), release("2.0.0", None)];
        let store = &self.0.store;
        block_on(async {
            store.put_device(device).await;
            for (version, config) in [("1.0.0", CONFIG_1), ("2.0.0", CONFIG_2)] {
                let id = peer.id.clone();
                store.put_config(id, Some(name(version)), config).await;
                let board = name("board");
                store.put_image(board, name(version), image(version)).await;
            }
        });
    }

    /// Asks the server now, after all that arrived late has arrived.
    #[must_use]
    pub fn ask(&self, message: &Message) -> Answer {
        self.deliver();
        self.0.site.borrow().ask(message, self.now())
    }

    /// What the log says was issued to a device.
    ///
    /// # Panics
    /// If the store was told to fail.
    #[must_use]
    pub fn issued(&self, peer: &Peer) -> Vec<Arc<Issued>> {
        self.deliver();
        block_on(self.0.store.issued(&peer.id)).expect("a store that does not fail")
    }

    /// What the operator heard since the last call or restart.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.0.site.borrow().heard()
    }

    /// The root of the server's CA, as PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.0.site.borrow().root_pem.clone()
    }

    /// Lets a request arrive `in_ms` from now, when nobody waits for the answer any more.
    pub(super) fn send_late(&self, message: Message, in_ms: u64) {
        let late = &mut *self.0.late.borrow_mut();
        let at_ms = self.0.timeline.now_ms().saturating_add(in_ms);
        late.insert((at_ms, late.len()), message);
    }

    fn deliver(&self) {
        let now_ms = self.0.timeline.now_ms();
        while let Some(first) = self.0.late.borrow_mut().first_entry() {
            let (at_ms, _) = *first.key();
            if at_ms > now_ms {
                break;
            }
            let message = first.remove();
            let _ = self.0.site.borrow().ask(&message, moment(at_ms));
        }
    }
}

fn site(
    store: &Store,
    settings: Settings,
    limits: Option<&TokenBucket>,
    began: Timestamp,
) -> Site<Store> {
    let mut site = Site::began(store.clone(), settings, began);
    if let Some(limits) = limits {
        site.server = site.server.with_admission(limits.clone());
    }
    site
}

fn moment(ms: u64) -> Timestamp {
    at(i64::try_from(ms.div_euclid(1000)).unwrap_or(i64::MAX))
}
