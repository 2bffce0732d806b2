//! The data folder on a file system that can do little (exFAT, a share of Windows), on a full one, and
//! after a process was killed. `PoorFiles` is such a file system.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use providore_testkit::PoorFiles;
use tempfile::TempDir;

use super::running::Site;

/// A poor file system with a data folder in it.
struct Poor {
    files: PoorFiles,
    folder: TempDir,
}

impl Poor {
    fn mount(args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let files = PoorFiles::mount(folder.path(), args);
        Self { files, folder }
    }

    fn path(&self) -> PathBuf {
        self.files.path().to_path_buf()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_providore-server"));
        command
            .args(args)
            .env("PROVIDORE_DATA", self.path().join("data"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn write(path: &Path, text: &str) -> String {
    fs::write(path, text).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn any_id_type_and_version_works_where_names_are_poor_and_none_collide() {
    let poor = Poor::mount(&[]);
    let image = write(&poor.folder.path().join("image.bin"), "image");
    let config = |text: &str| write(&poor.folder.path().join("config.json"), text);
    let ids = ["AA:bb", "aa:BB", "Lamp", "lamp", "a b"];
    for id in ids {
        poor.ok(&[
            "device",
            "add",
            id,
            "--no-qr",
            "--type",
            "T:1",
            "--version",
            "1.0 RC",
        ]);
        poor.ok(&[
            "device",
            "config",
            id,
            &config(&format!("{{\"id\":\"{id}\"}}")),
        ]);
    }
    for id in ids {
        assert_eq!(
            poor.ok(&["device", "config", id]),
            format!("{{\"id\":\"{id}\"}}")
        );
    }
    for version in ["1.0 RC", "1.0 rc"] {
        let add = [
            "firmware",
            "add",
            &image,
            "--type",
            "T:1",
            "--version",
            version,
            "--all",
        ];
        poor.ok(&add);
        // The same again is no fault.
        poor.ok(&add);
    }
    let listed = poor.ok(&["firmware", "list"]);
    assert!(listed.contains("T:1") && listed.contains("1.0 RC") && listed.contains("1.0 rc"));
    let shown = poor.ok(&["device", "show", "Lamp"]);
    assert!(
        shown.contains("5 bytes") && !shown.contains("missing"),
        "{shown}"
    );
    poor.ok(&["device", "remove", "Lamp", "--yes"]);
    assert_eq!(poor.ok(&["device", "config", "lamp"]), "{\"id\":\"lamp\"}");
}

#[test]
fn names_stay_as_they_are_where_the_file_system_can_have_them() {
    let site = Site::new();
    let config = site.path("config.json");
    fs::write(&config, "{}").unwrap();
    for args in [
        &["device", "add", "AA:bb", "--no-qr"][..],
        &["device", "config", "AA:bb", config.to_str().unwrap()],
    ] {
        assert!(site.command().args(args).output().unwrap().status.success());
    }
    assert!(site.path("configStore/AA:bb/config.json").exists());
}

#[test]
fn a_folder_that_cannot_be_synced_is_a_warning_and_no_failure() {
    let poor = Poor::mount(&["--no-folder-sync"]);
    poor.ok(&["device", "add", "lamp", "--no-qr"]);
    let mut process = poor
        .command(&["serve", "--http", "127.0.0.1:0", "--no-announce"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(3));
    let id = process.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    let code = process.wait().unwrap().code();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut process.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("cannot sync folders").count(), 1, "{said}");
}

#[test]
fn a_full_disk_is_called_full_and_nothing_is_lost() {
    let poor = Poor::mount(&["--room", "300000"]);
    poor.ok(&["device", "add", "lamp", "--no-qr"]);
    let devices = poor.path().join("data/configStore/devices.json");
    let before = fs::read(&devices).unwrap();
    fs::write(poor.path().join("filler"), vec![0; 290_000]).unwrap();
    let long = "x".repeat(60);
    let mut failed = None;
    for count in 0..100 {
        let output = poor.run(&["device", "add", &format!("{long}{count}"), "--no-qr"]);
        if !output.status.success() {
            failed = Some(String::from_utf8_lossy(&output.stderr).into_owned());
            break;
        }
    }
    let failed = failed.expect("a full disk");
    assert!(failed.contains("No space left"), "{failed}");
    assert!(!failed.contains("mend the file"), "{failed}");
    fs::remove_file(poor.path().join("filler")).unwrap();
    assert!(fs::read(&devices).unwrap().len() >= before.len());
    assert!(poor.ok(&["device", "list"]).contains("lamp"));
    poor.ok(&["device", "add", "again", "--no-qr"]);
}

#[test]
fn what_a_killed_process_left_is_swept_at_the_start() {
    let site = Site::new();
    let old = SystemTime::now() - Duration::from_secs(60);
    let mut left = Vec::new();
    for folder in [
        "configStore",
        "configStore/dev1",
        "firmwareStore/board/1.0.0",
        "certificateStore",
    ] {
        let path = site.path(folder).join(".tmpAbC123");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "secrets").unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        left.push(path);
    }
    // One that another process is writing.
    let locked = site.path("configStore/.tmpLocked");
    fs::write(&locked, "being written").unwrap();
    let file = fs::File::options().write(true).open(&locked).unwrap();
    file.set_modified(old).unwrap();
    file.lock().unwrap();
    let server = site.serve(&[]);
    server.wait_for("are removed");
    assert!(left.iter().all(|path| !path.exists()));
    assert!(locked.exists());
}

#[test]
fn everything_that_is_made_is_for_its_owner_alone_whatever_the_umask() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let program = env!("CARGO_BIN_EXE_providore-server");
    let image = write(&folder.path().join("image.bin"), "image");
    let script = format!(
        "umask 000; set -e; export PROVIDORE_DATA={data}; \
         {program} device add lamp --no-qr --type t --version 1; \
         echo '{{}}' | {program} device config lamp -; \
         {program} firmware add {image} --type t --version 1 --all; \
         timeout -s TERM 3 {program} serve --http 127.0.0.1:0 --no-announce || true",
        data = data.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut folders = vec![data];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen} files");
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_data_folder() {
    let folder = TempDir::new().unwrap();
    // Others have to get through to it.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let owner = 4711;
    if std::os::unix::fs::chown(&data, Some(owner), Some(owner)).is_err() {
        // Only root can give a folder away, and only then is there anything to get wrong.
        return;
    }
    let image = write(&folder.path().join("image.bin"), "image");
    let program = env!("CARGO_BIN_EXE_providore-server");
    let run = |args: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("PROVIDORE_DATA", &data)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    run(&[
        "device",
        "add",
        "lamp",
        "--no-qr",
        "--type",
        "t",
        "--version",
        "1",
    ]);
    let config = write(&folder.path().join("config.json"), "{}");
    run(&["device", "config", "lamp", &config]);
    run(&[
        "firmware",
        "add",
        &image,
        "--type",
        "t",
        "--version",
        "1",
        "--all",
    ]);
    run(&["ca", "create"]);
    let output = Command::new("find")
        .arg(&data)
        .args(["!", "-uid", &owner.to_string()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
