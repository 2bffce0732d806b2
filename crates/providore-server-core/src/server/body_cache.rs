//! The MAC states behind large bodies: an answer's string begins with the body, so the state after
//! it can be kept per device and image, and each further download costs one block.

use alloc::collections::{BTreeMap, VecDeque};

use providore_sign::{SoftwareKey, original::ResponseSigner};
use providore_wire::DeviceId;

use crate::Device;

/// States held: about 500 bytes each. A roll-out to more devices at once than this hashes some
/// images twice, nothing worse.
const MAX_STATES: usize = 4096;

/// Which body for whom. A new secret is another name, so that no stale state is ever found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    device: DeviceId,
    key_check: [u8; 8],
    image: [u8; 32],
}

impl Name {
    pub(super) fn new(device: &Device, image: [u8; 32]) -> Self {
        Self {
            device: device.id.clone(),
            key_check: device.key_check(),
            image,
        }
    }
}

/// The states, the oldest dropped first.
#[derive(Debug, Default)]
pub(super) struct BodyCache {
    states: BTreeMap<Name, ResponseSigner<SoftwareKey>>,
    order: VecDeque<Name>,
}

impl BodyCache {
    pub(super) fn find(&self, name: &Name) -> Option<ResponseSigner<SoftwareKey>> {
        self.states.get(name).cloned()
    }

    pub(super) fn remember(&mut self, name: Name, state: ResponseSigner<SoftwareKey>) {
        if self.states.insert(name.clone(), state).is_none() {
            self.order.push_back(name);
        }
        while self.order.len() > MAX_STATES {
            if let Some(oldest) = self.order.pop_front() {
                self.states.remove(&oldest);
            }
        }
    }
}
