//! A very cheap upstream: one thread, keep-alive, answers that were built before the first request came.
//! Leaves what it says to `answers`.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::LocalSet,
    time,
};

use crate::{
    answers::{Answer, Answers},
    http1,
};

/// Bytes of one request that are read before its connection is closed.
const MAX_REQUEST: usize = 16 << 20;

/// `windlass-bench mock`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one. The address is the first line on standard output.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Milliseconds between two events of a stream; 0 sends a whole stream in one write.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    event_gap: u64,
}

/// Serves until the process is told to stop.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn serve(options: &Options) -> Result<()> {
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    println!("{}", listener.local_addr()?);
    let answers = Rc::new(Answers::new());
    let gap = Duration::from_millis(options.event_gap);
    let connections = LocalSet::new();
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await.context("cannot accept a connection")?;
            let answers = Rc::clone(&answers);
            // A connection that breaks ends alone: the load generator counts it on its side.
            connections.spawn_local(async move { converse(stream, &answers, gap).await.ok() });
        }
    };
    connections.run_until(accepting).await
}

async fn converse(mut stream: TcpStream, answers: &Answers, gap: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    loop {
        while let Some(request) = http1::take_request(&mut input)? {
            match answers.to(&request) {
                Answer::Whole(bytes) => stream.write_all(bytes).await?,
                Answer::Events(events) if gap.is_zero() => stream.write_all(&events.whole).await?,
                Answer::Events(events) => {
                    for part in &events.parts {
                        stream.write_all(part).await?;
                        time::sleep(gap).await;
                    }
                }
            }
            if request.close {
                return Ok(());
            }
        }
        input.reserve(4096);
        if input.len() > MAX_REQUEST || stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}
