//! What the operating system gives this process, and what it may tell of it.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// File descriptors for everything but connections and what they send: listeners, the log, stores,
/// multicast DNS, and files that are read or written for a moment.
const RESERVE: u64 = 128;

/// A connection has a socket, and at most one image from which it is sent.
const FILES_PER_CONNECTION: u64 = 2;

/// Keeps secrets out of core dumps, and the memory of this process from other processes of its user.
/// A kernel that cannot do that is no reason not to work.
pub(crate) fn keep_secrets_in_memory() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Raises the number of files that this process may have open as far as it may; returns how many that
/// are, `None` if any number.
///
/// Many systems give 1024, which is meant for programs that use `select`.
pub(crate) fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// How many connections that leaves room for: `wanted`, or fewer.
pub(crate) fn connections(wanted: usize, files: Option<u64>) -> usize {
    let room = files.map_or(u64::MAX, |files| {
        files.saturating_sub(RESERVE) / FILES_PER_CONNECTION
    });
    wanted
        .min(usize::try_from(room).unwrap_or(usize::MAX))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_files() {
        assert_eq!(connections(4096, None), 4096);
        assert_eq!(connections(4096, Some(1_048_576)), 4096);
        assert_eq!(connections(4096, Some(1024)), 448);
        assert_eq!(connections(4096, Some(10)), 1);
        assert_eq!(connections(0, None), 1);
    }
}
