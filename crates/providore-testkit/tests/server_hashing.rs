//! What it costs when many devices ask for one image that nobody has hashed yet. One test, alone in its
//! process: it counts what the process reads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate alloc;

use alloc::sync::Arc;
use std::fs;

use futures_lite::future::block_on;
use providore_server_core::{
    FirmwareStore as _, Image as _, Release,
    json_files::{JsonStore, Layout},
};

const SIZE: usize = 8 * 1024 * 1024;

/// Bytes that this process has read.
fn bytes_read() -> usize {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn an_image_that_fifty_devices_ask_for_at_once_is_hashed_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let layout = Layout::below(folder.path());
    let image = layout.firmware.join("board/1.0.0/firmware.bin");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::write(&image, vec![7; SIZE]).unwrap();
    let store = Arc::new(JsonStore::open(layout).unwrap());
    let before = bytes_read();
    let devices: Vec<_> = (0..50)
        .map(|_| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let release = Release {
                    hardware: "board".parse().unwrap(),
                    version: "1.0.0".parse().unwrap(),
                    file: None,
                    config: None,
                    next: None,
                    order: None,
                };
                block_on(store.image(&release)).unwrap().unwrap().sha256()
            })
        })
        .collect();
    let digests: Vec<_> = devices.into_iter().map(|it| it.join().unwrap()).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    let read = bytes_read().saturating_sub(before);
    assert!((SIZE..SIZE * 3 / 2).contains(&read), "{read} bytes");
}
