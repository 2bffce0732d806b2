//! From what happens to one word.

use core::cell::Cell;

use providore_client::Event;

use crate::{Application, Status};

/// Tells the application's LED when its status changes.
pub(crate) struct Led<'a, A: ?Sized> {
    application: &'a A,
    shown: Cell<Status>,
}

impl<'a, A: Application + ?Sized> Led<'a, A> {
    pub(crate) fn new(application: &'a A) -> Self {
        application.status(Status::Starting);
        Self {
            application,
            shown: Cell::new(Status::Starting),
        }
    }

    pub(crate) fn show(&self, status: Status) {
        if self.shown.replace(status) != status {
            self.application.status(status);
        }
    }

    pub(crate) fn follow(&self, event: &Event<'_>) {
        let failing = self.shown.get() == Status::Failing;
        match event {
            Event::Failed { .. } | Event::Waiting { .. } => self.show(Status::Failing),
            Event::FirmwareOffered(_) => self.show(Status::Updating),
            Event::Resting { .. } if !failing => self.show(Status::Resting),
            Event::Resting { .. } | Event::Server(_) => {}
            _ => self.show(Status::Working),
        }
    }
}
