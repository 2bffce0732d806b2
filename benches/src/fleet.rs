//! A server with 10,000 devices: how fast it starts, how much memory it holds.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use crate::{
    Outcome,
    http::{Process, free_port, memory_mb, resident_mb_of, server},
    report::Report,
};

/// Start-up time and resident memory.
pub(crate) fn start_and_idle(report: &mut Report) -> Outcome {
    let folder = tempfile::tempdir()?;
    write_devices(folder.path(), 10_000)?;
    // The first start makes the CA; the second is what is measured.
    drop(server(folder.path(), free_port()?)?);
    let port = free_port()?;
    let (elapsed, process) = crate::measure::time(|| server(folder.path(), port));
    let process = process?;
    report.add(
        "start with 10,000 devices, to the first answer",
        &format!("{:.2} s", elapsed.as_secs_f64()),
        "none",
        ("below 1 s", elapsed < Duration::from_secs(1)),
    );
    std::thread::park_timeout(Duration::from_secs(2));
    let resident = process.resident_mb()?;
    report.add(
        "resident memory when idle with 10,000 devices",
        &format!("{resident:.1} MB"),
        "none",
        ("below 40 MB", resident < 40.0),
    );
    Ok(())
}

/// Devices as an original installation has them.
fn write_devices(folder: &Path, count: usize) -> Outcome {
    let mut text = String::from("{");
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}"device-{number:05}":{{"secretKey":"c2VjcmV0IG9mIDMyIHJhbmRvbSBieXRlcyAg{number:05}","firmware":[{{"type":"board","version":"1.0.0","file":"firmware.bin","config":"config.json","next":"1.1.0"}},{{"type":"board","version":"1.1.0","file":"firmware.bin","config":"config.json"}}],"certificate":{{"extensions":"user_cert","days":90}}}}"#
        )?;
    }
    text.push('}');
    let store = folder.join("configStore");
    fs::create_dir_all(&store)?;
    fs::write(store.join("devices.json"), text)?;
    Ok(())
}

/// How the server's memory stands.
impl Process {
    /// Resident memory, in MB of 10⁶ bytes.
    pub(crate) fn resident_mb(&self) -> Outcome<f64> {
        resident_mb_of(self.id())
    }

    /// The most that was ever resident.
    pub(crate) fn peak_mb(&self) -> Outcome<f64> {
        memory_mb(self.id(), "VmHWM:")
    }
}
