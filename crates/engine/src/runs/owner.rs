//! Who works on a run: this process, by a name that people understand and no other process shares; and whether
//! another such name is of a process that is gone.
//!
//! That is known only on the machine itself, by Linux' own words: the same boot, the same numbering of processes, and
//! no process of that number that was started at that time. Everywhere else nothing is known, and the lease counts.

use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// `host/number@boot.numbering.start`; without what is behind `@` where the system does not tell.
pub(super) fn this() -> &'static str {
    static OWNER: OnceLock<String> = OnceLock::new();
    OWNER.get_or_init(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let (host, number) = (host.trim(), std::process::id());
        let since = Process::of(number).map(|process| process.since);
        match place().zip(since) {
            Some((place, since)) => format!("{host}/{number}@{place}.{since}"),
            None => format!("{host}/{number}"),
        }
    })
}

/// As people read it.
pub(super) fn shown(owner: &str) -> &str {
    owner.split_once('@').map_or(owner, |(shown, _)| shown)
}

/// Whether the process of this name has surely ended.
pub(super) fn is_gone(owner: &str) -> bool {
    let named = owner.rsplit_once('@').and_then(|(shown, rest)| {
        let number = shown.rsplit_once('/')?.1.parse::<u32>().ok()?;
        let (place, since) = rest.rsplit_once('.')?;
        Some((number, place, since.parse::<u64>().ok()?))
    });
    let Some((number, there, since)) = named else { return false };
    if place().is_none_or(|here| here != there) {
        return false;
    }
    if let Some(process) = Process::of(number) {
        return process.since != since || process.ended;
    }
    // Others' processes may be hidden from us; whether there is one can still be asked.
    let number = i32::try_from(number).ok().and_then(Pid::from_raw);
    number.is_some_and(|number| test_kill_process(number) == Err(Errno::SRCH))
}

/// This boot of the machine, and the numbering of processes that we see.
fn place() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbering = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let digits: String = numbering.to_str()?.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}.{digits}", boot.trim().get(..8)?))
}

/// What the system says of a process.
struct Process {
    /// When it was started, in ticks since the boot.
    since: u64,
    /// It has ended, and its parent has not asked yet.
    ended: bool,
}

impl Process {
    fn of(number: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // The name in parentheses may hold anything, also parentheses.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X");
        // The 22nd field; the state is the third.
        let since = fields.nth(18)?.parse().ok()?;
        Some(Self { since, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_surely_ended_is_gone() {
        let own = this();
        assert!(own.contains('@') && !is_gone(own), "{own}");
        assert_eq!(shown(own), own.split('@').next().unwrap());
        let (before, since) = own.rsplit_once('.').unwrap();
        // Our number, given to somebody who was started at another time.
        assert!(is_gone(&format!("{before}.{}", since.parse::<u64>().unwrap() + 1)));
        // Another boot, another machine, an older name: nothing is known.
        let (shown, rest) = own.split_once('@').unwrap();
        assert!(!is_gone(&format!("{shown}@00000000{}", &rest[8..])));
        assert!(!is_gone(shown) && !is_gone("") && !is_gone("vm/1@x"));

        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        let name = format!("vm/{}@{}.{}", child.id(), place().unwrap(), process.since);
        assert!(!is_gone(&name), "{name}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&name), "{name}");
    }
}
