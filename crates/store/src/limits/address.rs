//! Where Redis is, one server or a cluster, and a connection to it, which calls use alike.
//!
//! In a cluster all keys of limits lie in one slot, so a take asks one of its servers; which one, the library knows
//! and learns anew when it changes.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError,
    RedisFuture, TlsCertificates, Value,
};

/// The address, or what makes it trustworthy, is none. Neither is repeated here: an address may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// Not an address.
    #[error("`storage.redis` is not the address of a Redis")]
    Address,
    /// Not certificates, or not for an address with TLS.
    #[error("`storage.redis_ca` holds no certificate in PEM, or `storage.redis` is without TLS")]
    Authority,
}

/// What is asked.
#[derive(Clone)]
pub(super) enum Place {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

impl std::fmt::Debug for Place {
    /// Without the address: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::Cluster(_) => "Cluster",
        })
    }
}

impl Place {
    /// `authority`: certificates in PEM that are trusted in place of the public ones.
    pub(super) fn of(address: &str, authority: Option<&[u8]>) -> Result<Self, NoAddress> {
        let (scheme, rest) = address.split_once("://").ok_or(NoAddress::Address)?;
        // The library would take that for nobody to be trusted, and say nothing.
        if authority.is_some_and(|pem| memchr::memmem::find(pem, b"-----BEGIN CERTIFICATE-----").is_none()) {
            return Err(NoAddress::Authority);
        }
        let certificates =
            authority.map(|pem| TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) });
        let single = match scheme {
            "redis+cluster" => "redis",
            "rediss+cluster" => "rediss",
            _ => {
                let server = server(address)?;
                let client = match certificates {
                    Some(certificates) => {
                        Client::build_with_tls(server, certificates).map_err(|_| NoAddress::Authority)
                    }
                    None => Client::open(server).map_err(|_| NoAddress::Address),
                };
                return Ok(Self::One(Box::new(client?)));
            }
        };
        let (who, hosts) = rest.rsplit_once('@').map_or((None, rest), |(who, hosts)| (Some(who), hosts));
        let hosts = hosts.trim_end_matches('/').split(',').map(str::trim);
        let nodes = hosts.map(|host| match who {
            Some(who) => server(&format!("{single}://{who}@{host}")),
            None => server(&format!("{single}://{host}")),
        });
        let nodes: Vec<ConnectionInfo> = nodes.collect::<Result<_, _>>()?;
        if certificates.is_some() && single != "rediss" {
            return Err(NoAddress::Authority);
        }
        let mut cluster = ClusterClientBuilder::new(nodes).tcp_settings(settings());
        if let Some(certificates) = certificates {
            cluster = cluster.certs(certificates);
            return Ok(Self::Cluster(Box::new(cluster.build().map_err(|_| NoAddress::Authority)?)));
        }
        Ok(Self::Cluster(Box::new(cluster.build().map_err(|_| NoAddress::Address)?)))
    }

    /// Opens a connection. Takes as long as it takes: the patience is the caller's, around the whole.
    pub(super) async fn open(&self) -> Result<Connection, RedisError> {
        match self {
            Self::One(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(None)
                    .set_response_timeout(None)
                    .set_pipeline_buffer_size(1_024);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

fn server(address: &str) -> Result<ConnectionInfo, NoAddress> {
    let info = address.into_connection_info().map_err(|_| NoAddress::Address)?;
    Ok(info.set_tcp_settings(settings()))
}

fn settings() -> TcpSettings {
    // A server that says nothing is not noticed by TCP itself for a quarter of an hour.
    TcpSettings::default().set_nodelay(true).set_user_timeout(Duration::from_secs(10))
}

/// A connection that any number of calls use at once.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_and_clusters_are_told_apart() {
        let of = |address| Place::of(address, None).map(|place| matches!(place, Place::Cluster(_)));
        assert_eq!(of("redis://u:p@localhost:6379/1"), Ok(false));
        assert_eq!(of("rediss://localhost:6380"), Ok(false));
        assert_eq!(of("unix:///run/redis.sock"), Ok(false));
        assert_eq!(of("redis+cluster://:secret@a:7000,b:7001, c:7002/"), Ok(true));
        assert_eq!(of("rediss+cluster://a:7000"), Ok(true));
        for wrong in
            ["localhost", "http://x", "redis+cluster://", "redis+cluster://a,,b", "redis+sentinel://a"]
        {
            assert_eq!(of(wrong), Err(NoAddress::Address), "{wrong}");
        }
        for address in ["redis://a", "redis+cluster://a"] {
            let pem = Place::of(address, Some(b"-----BEGIN CERTIFICATE-----")).map(|_| ());
            assert_eq!(pem, Err(NoAddress::Authority), "{address} is without TLS");
        }
        let shown = format!("{:?}", Place::of("redis://u:hidden@a", None));
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
