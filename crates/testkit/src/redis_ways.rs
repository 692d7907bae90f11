//! Redis as it is reached elsewhere: with TLS, and as a cluster of three on loopback.

use std::io;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::redis::{Lines, free_port, server};

/// A server that speaks TLS only. Nothing of it outlives this value.
#[derive(Debug)]
pub struct TlsRedis {
    _folder: TempDir,
    server: Child,
    port: u16,
    authority: String,
}

impl TlsRedis {
    /// Starts a server with a certificate for `localhost`, and waits until it answers.
    ///
    /// # Errors
    ///
    /// The system's, or those of making a certificate.
    pub fn start() -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (certificate, key) = (path("redis.crt"), path("redis.key"));
        let authority = made.cert.pem();
        std::fs::write(&certificate, &authority)?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let port = free_port()?;
        let number = port.to_string();
        let tls = ["--tls-port", &number, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let more = ["--port", "0", "--tls-ca-cert-file", &certificate, "--tls-auth-clients", "no"];
        let (server, lines) = server(folder.path(), &[&tls[..], &more].concat())?;
        lines.ignored();
        Ok(Self { _folder: folder, server, port, authority })
    }

    /// `rediss://…`, for the configuration.
    pub fn address(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    /// The certificate that it is trusted by, in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Drop for TlsRedis {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Three servers that share the slots. Nothing of them outlives this value.
#[derive(Debug)]
pub struct RedisCluster {
    folders: Vec<TempDir>,
    servers: Vec<Child>,
    ports: Vec<u16>,
}

impl RedisCluster {
    /// Starts them, and waits until they have found each other: some seconds.
    ///
    /// # Errors
    ///
    /// The system's, or what a server says against it.
    pub fn start() -> io::Result<Self> {
        let mut cluster = Self { folders: Vec::new(), servers: Vec::new(), ports: Vec::new() };
        let mut logs: Vec<Lines> = Vec::new();
        for _ in 0..3 {
            let folder = tempfile::tempdir()?;
            let (port, bus) = (free_port()?, free_port()?);
            let (number, beside) = (port.to_string(), bus.to_string());
            let own = ["--port", &number, "--cluster-enabled", "yes", "--cluster-port", &beside];
            let (server, lines) = server(folder.path(), &[&own[..], &["--bind", "127.0.0.1"]].concat())?;
            cluster.servers.push(server);
            cluster.ports.push(port);
            logs.push(lines);
            cluster.folders.push(folder);
            let (first, last) = ([0, 5_461, 10_923], [5_460, 10_922, 16_383]);
            let at = cluster.ports.len() - 1;
            let range = |ends: [u32; 3]| ends.get(at).copied().unwrap_or_default().to_string();
            tell(port, &["cluster", "addslotsrange", &range(first), &range(last)])?;
            tell(port, &["cluster", "set-config-epoch", &(at + 1).to_string()])?;
            if let Some(other) = cluster.ports.first().filter(|other| **other != port) {
                tell(*other, &["cluster", "meet", "127.0.0.1", &number, &beside])?;
            }
        }
        for mut log in logs {
            log.until("Cluster state changed: ok")?;
            log.ignored();
        }
        Ok(cluster)
    }

    /// `redis+cluster://…` with all three, for the configuration.
    pub fn address(&self) -> String {
        let hosts: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(end);
    }
}

fn tell(port: u16, command: &[&str]) -> io::Result<()> {
    let said = Command::new("redis-cli").args(["-p", &port.to_string()]).args(command).output()?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if said == "OK" { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {said}"))) }
}

fn end(server: &mut Child) {
    // An error means that it is dead already.
    let _either = server.kill().and_then(|()| server.wait());
}
