//! The bytes that end plain text in a JSON string, looked for in sixteen at once.

/// Where the first quote, backslash or control character stands.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn first(bytes: &[u8; 16]) -> Option<usize> {
    #[expect(unsafe_code, reason = "SSE2 belongs to x86-64")]
    let marks = unsafe { by_sse2(bytes) };
    (marks != 0).then(|| marks.trailing_zeros() as usize)
}

/// A bit for each byte that ends plain text.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn by_sse2(bytes: &[u8; 16]) -> i32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    let (words, _) = bytes.as_chunks::<8>();
    let bytes = _mm_set_epi64x(i64::from_le_bytes(words[1]), i64::from_le_bytes(words[0]));
    let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
    let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
    let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls))
}

/// Where the first quote, backslash or control character stands.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn first(bytes: &[u8; 16]) -> Option<usize> {
    by_words(bytes)
}

/// [`first`] without instructions of a kind of processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn by_words(bytes: &[u8; 16]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let marks = |at: usize| marked(u64::from_le_bytes(words[at]));
    let place = |at: usize| (marks(at) != 0).then(|| 8 * at + marks(at).trailing_zeros() as usize / 8);
    place(0).or_else(|| place(1))
}

/// The highest bit of each byte that ends plain text; the lowest marked byte is exact, since a borrow can only mark bytes
/// above a true one.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn marked(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_find_the_first(bytes in prop::array::uniform16(prop_oneof![Just(b'a'), any::<u8>()])) {
            let found = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(first(&bytes), found);
            prop_assert_eq!(by_words(&bytes), found);
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                let mut bytes = [b'x'; 16];
                bytes[at] = byte;
                let expected = matches!(byte, b'"' | b'\\' | 0..0x20).then_some(at);
                assert_eq!((first(&bytes), by_words(&bytes)), (expected, expected), "{byte} at {at}");
            }
        }
    }
}
