use proptest::prelude::*;

use super::*;

const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

/// All that `coded` says, read with this much room and this much input at a time; `None` if its end is missing.
fn decoded(coding: Coding, coded: &[u8], room: usize, at_once: usize) -> Result<Option<Vec<u8>>, Broken> {
    let mut decoder = Decoder::new(coding).unwrap();
    let (mut all, mut out) = (Vec::new(), vec![0; room]);
    for piece in coded.chunks(at_once) {
        let mut left = piece;
        loop {
            let (taken, put) = decoder.step(left, &mut out)?;
            assert!(put <= room);
            left = &left[taken..];
            all.extend_from_slice(&out[..put]);
            if (taken, put) == (0, 0) {
                break;
            }
        }
        assert!(left.is_empty(), "input that nobody took");
    }
    Ok(decoder.is_whole().then_some(all))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_coded_is_read_again(
        text in "[a-c]{0,3000}",
        (room, at_once, cut) in (1_usize..5_000, 1_usize..200, 0_usize..4_000),
    ) {
        for coding in ALL {
            let (left, right) = text.split_at(text.len() / 2);
            let coded = encode(coding, [left.as_bytes(), right.as_bytes()]).unwrap();
            prop_assert_eq!(decoded(coding, &coded, room, at_once), Ok(Some(text.clone().into_bytes())), "{:?}", coding);
            let cut = &coded[..cut % coded.len()];
            let part = decoded(coding, cut, room, at_once);
            prop_assert!(cut.is_empty() || part == Ok(None), "{:?} {:?}", coding, part);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), room in 1_usize..100) {
        for coding in ALL {
            let _ = decoded(coding, &bytes, room, 50);
        }
    }
}

#[test]
fn a_bomb_unfolds_no_faster_than_it_is_asked_to() {
    let zeros = vec![0; 1 << 20];
    for coding in ALL {
        let bomb = encode(coding, std::iter::repeat_n(&zeros[..], 32)).unwrap();
        assert!(bomb.len() < 400_000, "{coding:?}: {}", bomb.len());
        let mut decoder = Decoder::new(coding).unwrap();
        let mut out = vec![0; 4096];
        let (taken, put) = decoder.step(&bomb, &mut out).unwrap();
        assert!(taken <= bomb.len() && put <= out.len());
        assert_eq!(decoded(coding, &bomb, 1 << 16, 1 << 16).unwrap().unwrap().len(), 32 << 20);
    }
}

#[test]
fn what_follows_the_end_is_no_part_of_the_body() {
    for coding in ALL {
        let mut coded = encode(coding, [&b"text"[..]]).unwrap();
        coded.extend_from_slice(b"and more that is not coded at all");
        assert_eq!(decoded(coding, &coded, 100, 1000), Err(Broken(coding)));
        assert_eq!(decoded(coding, b"plain text, not coded at all", 100, 1000), Err(Broken(coding)));
    }
    for coding in [Coding::Gzip, Coding::Zstd] {
        let two = [encode(coding, [&b"one "[..]]).unwrap(), encode(coding, [&b"two"[..]]).unwrap()].concat();
        assert_eq!(decoded(coding, &two, 2, 3), Ok(Some(b"one two".to_vec())), "{coding:?}");
    }
}

#[test]
fn windows_are_bounded() {
    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    writer.window_log(25).unwrap();
    writer.write_all(b"text").unwrap();
    let coded = writer.finish().unwrap();
    assert_eq!(decoded(Coding::Zstd, &coded, 100, 1000), Err(Broken(Coding::Zstd)));
}

#[test]
fn names_are_those_of_the_header() {
    for coding in ALL {
        assert_eq!(Coding::named(&coding.as_str().to_uppercase()), Some(coding));
        assert!(Coding::ALL.contains(coding.as_str()));
    }
    assert_eq!(Coding::named("x-gzip"), Some(Coding::Gzip));
    assert_eq!(Coding::named("deflate"), None);
}
