//! A file system with the abilities of exFAT, mounted for a test: `fuse/poor.py`.

use core::time::Duration;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

/// A file system that can do little, mounted until it is dropped.
#[derive(Debug)]
pub struct PoorFiles {
    mount: PathBuf,
    process: Child,
}

impl PoorFiles {
    /// Mounts it at `folder/mount`; what is in it lies in `folder/source`. The script says what the
    /// arguments are.
    ///
    /// # Panics
    /// If it cannot be mounted.
    #[must_use]
    pub fn mount(folder: &Path, args: &[&str]) -> Self {
        let (source, mount) = (folder.join("source"), folder.join("mount"));
        fs::create_dir(&source).expect("a folder");
        fs::create_dir(&mount).expect("a folder");
        let process = Command::new("/usr/bin/python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/fuse/poor.py"))
            .args([&source, &mount])
            .args(args)
            .stdin(Stdio::null())
            // It complains of each operation that it does not have.
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let poor = Self { mount, process };
        let mut is_there = false;
        for _ in 0..100 {
            let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc");
            if poor
                .mount
                .to_str()
                .is_some_and(|path| mounts.contains(path))
            {
                is_there = true;
                break;
            }
            pause();
        }
        assert!(
            is_there,
            "not mounted: is /dev/fuse there? apt-get install fuse3 python3-fusepy"
        );
        poor
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }
}

impl Drop for PoorFiles {
    fn drop(&mut self) {
        let mut unmount = Command::new("fusermount3");
        let _ = unmount.arg("-u").arg(&self.mount).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a mount says by nothing else that it is there"
)]
fn pause() {
    thread::sleep(Duration::from_millis(50));
}
