//! `windlass certify`: runs a gateway against the fault wall and says how it holds.
//!
//! The wall is a provider that fails on demand (`wall`). The gateway under test is configured to use it; here
//! stand the caller at the gateway's other side, who sees what callers see, and the judge.

mod call;
mod card;
mod case;
mod judge;
mod point;
mod reading;
mod round;

use anyhow::{Context as _, anyhow};
use wall::{Fault, Wall};

use crate::args::{Certify, Cli, Peer};
use crate::exit::Failure;
use crate::output;
use call::Gateway;
use round::Round;

/// Judges a gateway; fails unless it passes everything.
pub(crate) fn certify(cli: &Cli, args: &Certify) -> Result<(), Failure> {
    if let Some(peer) = args.print_config {
        output::line(point::configuration(peer, args.wall).trim_end());
        return Ok(());
    }
    let url = args.url.as_deref().unwrap_or_default();
    let round = Round {
        gateway: Gateway::new(url, args.key.clone()).map_err(Failure::Usage)?,
        prefix: args.model_prefix.clone(),
        deadline: duration(&args.deadline)?,
        at_once: usize::from(args.at_once),
    };
    let wait = duration(&args.wait)?;
    let only = args.only.iter().map(|name| fault(name)).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(async {
        let wall = Wall::start(args.wall).await;
        let wall = wall.with_context(|| format!("the wall cannot stand at {} (--wall)", args.wall))?;
        if !cli.quiet {
            eprintln!("The fault wall stands at {}", wall.base_url());
        }
        if let Err(why) = round.ready(wait).await {
            let configuration = point::configuration(Peer::Windlass, wall.address());
            return Err(Failure::Other(anyhow!(
                "the gateway at {url} does not answer as `{}{}` with the wall behind it: {why}\n\nGive it the wall \
                 as a provider of OpenAI's kind, and start it before this command, or within --wait. For windlass:\
                 \n\n{configuration}\nFor LiteLLM: windlass certify --print-config litellm",
                round.prefix,
                Fault::Well,
            )));
        }
        let verdicts = round.run(wall, &only).await;
        card::print(url, &verdicts, cli.json)?;
        match verdicts.iter().filter(|verdict| !verdict.passed()).count() {
            0 => Ok(()),
            failed => Err(Failure::Other(anyhow!("{failed} of {} cases failed", verdicts.len()))),
        }
    })
}

fn duration(text: &str) -> Result<std::time::Duration, Failure> {
    document::parse_duration(text)
        .ok_or_else(|| Failure::Usage(format!("`{text}` is not a duration like 500ms, 10s or 2m")))
}

fn fault(name: &str) -> Result<Fault, Failure> {
    Fault::named(name).ok_or_else(|| {
        let known = Fault::ALL.map(Fault::name).join(", ");
        Failure::Usage(format!("there is no fault `{name}`; there are: {known}"))
    })
}
