//! nginx as a plain reverse proxy before the mock, configured as one would for this work: one worker, pooled
//! connections upstream, no access log, no buffering of streams. Leaves starting it to `proxy`.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

use anyhow::{Context, Result};

use crate::child::Recipe;

/// Paths under this one are for plain answers, with nginx's own buffering.
pub(crate) const PLAIN: &str = "/plain/v1/chat/completions";
/// Paths under this one are for streams, unbuffered.
pub(crate) const STREAM: &str = "/stream/v1/chat/completions";

/// Writes the configuration into `directory` and says how to start with it.
pub(crate) fn recipe(mock: SocketAddr, port: u16, directory: &Path, core: usize) -> Result<Recipe> {
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration(mock, port, directory, rustix::process::geteuid().is_root()))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Recipe::new("nginx", "nginx", core)
        .args(["-e".as_ref(), directory.join("error.log").as_os_str(), "-c".as_ref(), file.as_os_str()])
        .directory(directory))
}

fn configuration(mock: SocketAddr, port: u16, directory: &Path, as_root: bool) -> String {
    let here = directory.display();
    let mut text = String::new();
    if as_root {
        // Its workers would otherwise become a user that cannot enter our temporary directory.
        text.push_str("user root;\n");
    }
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter().fold(String::new(), |mut all, kind| {
            // A String takes everything that is written to it.
            writeln!(all, "  {kind}_temp_path {here}/{kind};").ok();
            all
        });
    text + &format!(
        r#"daemon off;
worker_processes 1;
pid {here}/nginx.pid;
error_log {here}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
{temporary}  upstream mock {{
    server {mock};
    keepalive 128;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location = /readyz {{ return 200 "ready\n"; }}
    location /plain/ {{ proxy_pass http://mock/; }}
    location /stream/ {{ proxy_pass http://mock/; proxy_buffering off; }}
  }}
}}
"#
    )
}
