//! How a gateway is pointed at the wall: configurations to copy.

use std::net::SocketAddr;

use crate::args::Peer;

/// A configuration for this gateway, with the wall at this address.
pub(super) fn configuration(peer: Peer, wall: SocketAddr) -> String {
    match peer {
        Peer::Windlass => format!(
            "# Points windlass at the fault wall. Start it with: windlass serve --config THIS_FILE
version: 1
providers:
  wall:
    kind: openai
    base_url: http://{wall}/v1
    # Short, so that silence is found out soon. `windlass certify --deadline` must be longer than `total`.
    timeouts: {{ connect: 1s, first_token: 2s, idle: 2s, total: 6s }}
"
        ),
        Peer::Litellm => format!(
            "# Points LiteLLM at the fault wall. Start it with: litellm --port 4000 --config THIS_FILE
model_list:
  - model_name: \"wall/*\"
    litellm_params:
      model: \"openai/*\"
      api_base: http://{wall}/v1
      api_key: none
      # Short, so that silence is found out soon. `windlass certify --deadline` must be longer.
      timeout: 6
      stream_timeout: 2
litellm_settings:
  request_timeout: 6
general_settings:
  # It is on loopback and spends nobody's money.
  dangerously_permit_weak_or_unset_master_key: true
"
        ),
    }
}
