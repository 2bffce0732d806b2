//! `quickstart`: everything, once, on an empty folder, with each step told as it happens.

mod demo;
mod device;
mod story;
mod wire;

use std::net::SocketAddr;

use clap::Args;

use self::{demo::Demo, device::DemoDevice, story::Story};
use crate::{
    Common,
    failure::{OrFail as _, Outcome},
    logs,
    serve::{self, Running},
    server_lock::ServerLock,
    settings::{Announce, Announced, File, Log},
};

/// What to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server quickstart          then look around, with Ctrl-C to end
  providore-server quickstart --once   for scripts: exit 0 after the last step

Makes a certificate authority, a demo device with a configuration and two firmware versions, serves
them over HTTP, and runs that device against itself: configuration, certificate, update. The device
has no clock but one that starts in 1970. Then it shows one exchange as it is on the wire, and what
becomes of a request that is played again. What it makes stays in the data folder; `serve` goes on
with it.")]
pub(crate) struct QuickstartArgs {
    /// Exit after the last step in place of serving on.
    #[arg(long)]
    once: bool,
    /// Where to listen. Without it: 127.0.0.1:3000, or any free port if that is taken.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
}

/// Makes, serves, provisions, and tells.
pub(crate) fn run(common: &Common, args: &QuickstartArgs) -> Outcome {
    let _logs = logs::begin(&Log {
        // The story plays a stranger and a listener itself, and tells how they are refused.
        level: Some("warn,providore_server::serve::audit=error".into()),
        ..Log::default()
    })?;
    let story = Story::new(common.json);
    let folder = common.folder();
    let _lock = ServerLock::take(&common.data, &folder.layout)?;
    story.chapter("The server makes what it needs");
    let demo = Demo::prepare(&folder)?;
    Demo::tell(&story, &common.data);
    serve::block_on(async {
        let mut running = start(&folder, args.http).await?;
        let address = running
            .http
            .ok_or_else(|| crate::failure::Failure::new("no address"))?;
        story.fact("serves", format!("http://{address}"));
        let told = async {
            provision(&demo, address, &story).await?;
            if args.once {
                return Ok(());
            }
            story.epilogue(&common.data, address);
            std::future::pending().await
        };
        let outcome = running.until(told).await;
        running.stop().await;
        outcome
    })
}

async fn start(folder: &crate::data::DataFolder, http: Option<SocketAddr>) -> Outcome<Running> {
    let settings = |address: SocketAddr| File {
        http: Some(address),
        announce: Announce {
            when: Announced::Never,
            ..Announce::default()
        },
        ..File::default()
    };
    let wanted = http.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000)));
    match Running::start(folder, &settings(wanted)).await {
        Err(_) if http.is_none() => {
            Running::start(folder, &settings(SocketAddr::from(([127, 0, 0, 1], 0)))).await
        }
        outcome => outcome,
    }
}

/// The device's story, over real HTTP.
async fn provision(demo: &Demo, address: SocketAddr, story: &Story) -> Outcome {
    let mut device = DemoDevice::new(demo, address).or_fail("make the demo device")?;

    story.chapter("The device asks for its configuration");
    device.configure(story).await?;

    story.chapter("The device gets a certificate");
    device.certify(story).await?;

    story.chapter("The device updates its firmware");
    device.update(story).await?;

    story.chapter("What a listener sees of it");
    let captured = wire::show(demo, address, story).await?;

    story.chapter("The listener plays the request again");
    wire::replay(&captured, address, story).await?;

    story.chapter("A stranger tries the same");
    device::stranger(demo, address, story).await?;

    story.done();
    Ok(())
}
