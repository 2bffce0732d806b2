//! `provision burn`: a secret into the fuses, which nobody can take out again or change.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::PathBuf,
};

use providore_wire::DeviceId;
use zeroize::Zeroizing;

use crate::{
    Board,
    tool::{Failure, Line, line_of},
};

/// What a block of fuses holds.
const KEY_LEN: usize = 32;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The name of the device, to be typed twice before anything is burned.
    #[arg(long)]
    id: DeviceId,
    /// A file with the secret: 32 bytes, as the server has them.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// The block of fuses, the same as in `provision image`.
    #[arg(long, value_name = "0-5", value_parser = clap::value_parser!(u8).range(0..=5))]
    fuse_block: u8,
    #[command(flatten)]
    board: Board,
    /// Burn. Without it nothing happens but that the command is printed.
    #[arg(long)]
    burn: bool,
    /// Take the two answers from wherever standard input comes from: for a factory's script.
    #[arg(long, requires = "burn")]
    without_terminal: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let secret = line_of(&arguments.secret_file)?;
    if secret.len() != KEY_LEN {
        return Err(format!(
            "the secret has {} bytes, and a block of fuses holds {KEY_LEN}: `provision secret` makes one",
            secret.len()
        ));
    }
    let interactive = io::stdin().is_terminal();
    println!("{}", line(arguments, "FILE-WITH-THE-32-BYTES", interactive));
    if !arguments.burn {
        println!("Nothing was burned: that takes --burn.");
        return Ok(());
    }
    if !interactive && !arguments.without_terminal {
        return Err(
            "standard input is no terminal: nothing was burned; a script says --without-terminal"
                .into(),
        );
    }
    println!(
        "Burning block {} of this board is for ever: it can be neither changed nor read again, and\n\
         without the secret on its server the board is of no use.",
        arguments.fuse_block
    );
    confirm(
        &arguments.id,
        "Type the name of the device to burn its secret: ",
    )?;
    confirm(&arguments.id, "And once more, after a look at the board: ")?;
    burn(arguments, &secret, interactive)
}

fn confirm(id: &DeviceId, question: &str) -> Result<(), Failure> {
    print!("{question}");
    io::stdout().flush().map_err(|error| error.to_string())?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| error.to_string())?;
    if answer.trim_end_matches(['\r', '\n']) == id.as_str() {
        Ok(())
    } else {
        Err("that is not its name: nothing was burned".into())
    }
}

/// espefuse takes the key from a file: one of exactly these bytes, which only its owner can read, and
/// which is gone afterwards.
fn burn(
    arguments: &Arguments,
    secret: &Zeroizing<String>,
    interactive: bool,
) -> Result<(), Failure> {
    let file = tempfile::NamedTempFile::new();
    let mut file = file.map_err(|error| error.to_string())?;
    let written = file
        .write_all(secret.as_bytes())
        .and_then(|()| file.flush());
    written.map_err(|error| error.to_string())?;
    let outcome = line(arguments, &file.path().to_string_lossy(), interactive).run();
    // Over the file's own blocks, as far as the file system writes in place.
    let wiped = std::fs::write(file.path(), [0; KEY_LEN]);
    outcome?;
    wiped.map_err(|error| format!("the file with the key stays: {error}"))
}

/// The purpose HMAC_UP lets software use the key and not read it; espefuse closes the block against
/// reading and writing. It asks again by itself, unless there is no terminal.
fn line(arguments: &Arguments, file: &str, interactive: bool) -> Line {
    let board = &arguments.board;
    let line =
        Line::new(&["espefuse", "--chip", board.chip.name()]).with_port(board.port.as_deref());
    let line = if interactive {
        line
    } else {
        line.with(&["--do-not-confirm"])
    };
    let block = format!("BLOCK_KEY{}", arguments.fuse_block);
    line.with(&["burn-key", &block, file, "HMAC_UP"])
}
