//! The secret that is to replace the present one, where the feature is not there: there is none.

use providore_sign::{KeyError, MacKey};

use super::SessionKeys;

#[derive(Debug, Clone)]
pub(super) struct Next;

#[expect(
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "the feature puts the real one in its place"
)]
impl Next {
    pub(super) const fn begin(_: &mut impl MacKey) -> Result<Self, KeyError> {
        Ok(Self)
    }

    pub(super) const fn is_there(&self) -> bool {
        false
    }

    pub(super) const fn is_tried(&self) -> bool {
        false
    }

    pub(super) const fn keys(&self, _: bool) -> Option<&SessionKeys> {
        None
    }

    pub(super) const fn try_again(&mut self, _: bool) {}

    pub(super) const fn take(&mut self) -> Option<SessionKeys> {
        None
    }
}
