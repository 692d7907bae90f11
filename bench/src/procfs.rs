//! What the kernel says about a tree of processes (CPU time, resident memory) and about the machine. Linux
//! only. Leaves starting and stopping to `child`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The kernel's clock tick for user programs; 100 on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(&stat(pid).ok()?)?)))
        .collect();
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(&above) = tree.get(at) {
        tree.extend(parents.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| pid));
        at += 1;
    }
    tree
}

/// User and system time of a tree so far, in nanoseconds for the threads that live (`schedstat`), never less
/// than what `stat` counts in ticks with threads that ended.
///
/// # Errors
/// When the root process is gone.
pub(crate) fn cpu(root: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for pid in tree(root) {
        match process_cpu(pid) {
            Err(error) if pid == root => return Err(error),
            other => total += other.unwrap_or_default(),
        }
    }
    Ok(total)
}

fn process_cpu(pid: u32) -> Result<Duration> {
    let ticks = ticks(&stat(pid)?).with_context(|| format!("/proc/{pid}/stat reads strangely"))?;
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?
        .filter_map(|thread| {
            let line = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
        })
        .sum::<Duration>();
    Ok(threads.max(TICK * ticks))
}

/// Resident memory of a tree, in MB of 1,000,000 bytes. Pages that processes share count in each.
pub(crate) fn rss_mb(root: u32) -> f64 {
    let kib: u32 =
        tree(root).into_iter().filter_map(|pid| field(&format!("/proc/{pid}/status"), "VmRSS:")).sum();
    f64::from(kib) * 1024.0 / 1e6
}

/// The machine in one line.
pub(crate) fn machine() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = text("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name))
        .unwrap_or("unknown processor");
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let gib = field("/proc/meminfo", "MemTotal:").unwrap_or(0) >> 20;
    let kernel = text("/proc/sys/kernel/osrelease");
    format!("{cores} x {model}, {gib} GiB, Linux {}", kernel.trim())
}

/// How busy the machine is, over the last minute.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// How many cores this machine has.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn stat(pid: u32) -> Result<String> {
    let path = format!("/proc/{pid}/stat");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}: the process is gone"))
}

/// The fields after the command's name, which may hold spaces and parentheses itself.
fn after_name(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

fn parent(stat: &str) -> Option<u32> {
    after_name(stat)?.nth(1)?.parse().ok()
}

fn ticks(stat: &str) -> Option<u32> {
    let mut times = after_name(stat)?.skip(11);
    let user: u32 = times.next()?.parse().ok()?;
    Some(user + times.next()?.parse::<u32>().ok()?)
}

fn field(path: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_mislead() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 0 0 0 11 31 5 6 20 0 1 0 9 1 1 1";
        assert_eq!(parent(stat), Some(3));
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn this_process_has_time_and_memory() {
        let me = std::process::id();
        let before = cpu(me).unwrap();
        let mut sum = 0u64;
        while cpu(me).unwrap() < before + Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(rss_mb(me) > 0.1);
        assert!(cpu(0).is_err());
    }
}
