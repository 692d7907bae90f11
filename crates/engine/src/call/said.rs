//! What a call says of itself, in its headers or in its body under `metadata.windlass`: the same fields by the same
//! rules. Which comes first is one rule, too: a header.

use std::sync::Arc;
use std::time::Duration;

use policy::degrade::Level;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use types::{Code, Fault, Priority};

use crate::call::{Head, Inbound};

/// The longest tenant, user, task or profile name, in bytes: they are stored with every row.
const MAX_NAME: usize = 256;
/// Where the fields stand in the body.
const PLACE: &str = "metadata.windlass";
/// The fields.
const FIELDS: [&str; 7] = ["tenant", "user", "deadline", "priority", "min_level", "task", "profile"];

/// The name of a tenant, user, task or profile; else the rule that it breaks.
pub fn name(text: &str) -> Result<Arc<str>, String> {
    let visible = text.bytes().all(|byte| byte == b'\t' || (b' '..0x7f).contains(&byte));
    if !text.is_empty() && text.len() <= MAX_NAME && visible {
        return Ok(Arc::from(text));
    }
    Err(format!("must be visible ASCII, 1 to {MAX_NAME} bytes long"))
}

/// The longest that a caller wants to wait; else the rule.
pub fn deadline(text: &str) -> Result<Duration, String> {
    let wait = document::parse_duration(text).filter(|wait| !wait.is_zero());
    wait.ok_or_else(|| "must be a duration like 500ms, 30s or 5m".to_owned())
}

/// How much a call matters; else the rule.
pub fn priority(text: &str) -> Result<Priority, String> {
    match text {
        "low" => Ok(Priority::Low),
        "normal" | "medium" => Ok(Priority::Normal),
        "high" => Ok(Priority::High),
        "critical" => Ok(Priority::Critical),
        _ => Err("must be low, normal, high or critical".to_owned()),
    }
}

/// The least service that a call accepts: a level's name, or the least quality from 0 to 1; else the rule.
pub fn floor(text: &str) -> Result<Level, String> {
    let text = text.trim();
    let quality = || text.parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).map(Level::floor);
    Level::named(text)
        .or_else(quality)
        .ok_or_else(|| "must be full, reduced, minimal or emergency, or a quality between 0 and 1".to_owned())
}

/// The call with what its body says beside its headers. Task and profile are looked up with the route's.
pub(super) fn beside(inbound: &Inbound, windlass: &RawValue) -> Result<Inbound, Fault> {
    let mut inbound = inbound.clone();
    if windlass.get() != "null" {
        let said: Map<String, Value> = serde_json::from_str(windlass.get()).map_err(|_| {
            let hint = format!("it may have {}", FIELDS.join(", "));
            Fault::invalid(Code::BadField, PLACE, format!("`{PLACE}` must be an object")).with_hint(hint)
        })?;
        for (field, value) in &said {
            put(&mut inbound.head, field, value)?;
        }
    }
    Ok(inbound)
}

fn put(head: &mut Head, field: &str, value: &Value) -> Result<(), Fault> {
    // Null is as good as not there, as everywhere in requests.
    if value.is_null() && FIELDS.contains(&field) {
        return Ok(());
    }
    let number = value.as_number().filter(|_| field == "min_level").map(ToString::to_string);
    // What is no text breaks every rule.
    let text = number.as_deref().or(value.as_str()).unwrap_or_default();
    let read = match field {
        "tenant" => name(text).map(|tenant| {
            // Whose calls they are is for administrators to say, or for anybody where keys are off.
            if head.tenant.is_none() {
                if let Some(who) = head.who.as_mut().filter(|who| who.admin) {
                    who.tenant = Some(Arc::clone(&tenant));
                }
                head.tenant = Some(tenant);
            }
        }),
        "user" => name(text).map(|user| {
            if head.user.is_none() {
                if let Some(who) = &mut head.who {
                    who.user = Some(Arc::clone(&user));
                }
                head.user = Some(user);
            }
        }),
        "deadline" => deadline(text).map(|wait| head.deadline = head.deadline.or(Some(wait))),
        "priority" => priority(text).map(|priority| head.priority = head.priority.or(Some(priority))),
        "min_level" => floor(text).map(|floor| head.floor = head.floor.or(Some(floor))),
        "task" | "profile" => name(text).map(|_| ()),
        "max_cost" => return Err(no_ceiling(&format!("{PLACE}.max_cost"))),
        _ => return Err(unknown(field)),
    };
    read.map_err(|rule| {
        let place = format!("{PLACE}.{field}");
        let message = format!("`{place}` {rule}");
        Fault::invalid(Code::BadField, place, message).with_hint("send another value, or leave the field out")
    })
}

/// A ceiling that nobody would hold is worse than none: `field` is where it stands.
pub fn no_ceiling(field: &str) -> Fault {
    let message = format!("`{field}` is not supported yet: nothing would hold a call to that ceiling");
    Fault::invalid(Code::Unsupported, field, message)
        .with_hint("leave it out and set `max_tokens`; a chain's `limits.cost` bounds a run")
}

fn unknown(field: &str) -> Fault {
    let shown: String = field.chars().take(64).collect();
    let near = document::closest(field, FIELDS);
    let hint = near.map_or_else(
        || format!("it may have {}", FIELDS.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!("`{PLACE}` has no field `{shown}`");
    Fault::invalid(Code::BadField, format!("{PLACE}.{shown}"), message).with_hint(hint)
}
