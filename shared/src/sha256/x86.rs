//! Blocks of two messages with the SHA instructions of x86-64, the rounds of one between those of the other.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::{Block, State};

/// The constants of the rounds (FIPS 180-4, section 4.2.2).
const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

type Compress = fn(&mut State, &[Block], &mut State, &[Block]);

/// The function for this processor; `None` = it lacks the instructions.
pub(super) fn compress_pair() -> Option<Compress> {
    let has_them = is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1");
    has_them.then_some(on_such_a_processor as Compress)
}

/// Given out only where the instructions are.
fn on_such_a_processor(first: &mut State, left: &[Block], second: &mut State, right: &[Block]) {
    debug_assert!(is_x86_feature_detected!("sha"));
    #[expect(unsafe_code, reason = "the instructions are there: `compress_pair` has looked")]
    unsafe {
        compress(first, left, second, right);
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress(first: &mut State, left: &[Block], second: &mut State, right: &[Block]) {
    let (mut a, mut b) = (load(first), load(second));
    for (left, right) in left.iter().zip(right) {
        let (before_a, before_b) = (a, b);
        let (mut w, mut v) = (words(left), words(right));
        for group in 0..4 {
            rounds(group, &mut a, w[group]);
            rounds(group, &mut b, v[group]);
        }
        for sixteen in 1..4 {
            for i in 0..4 {
                w[i] = scheduled(i, &w);
                rounds(4 * sixteen + i, &mut a, w[i]);
                v[i] = scheduled(i, &v);
                rounds(4 * sixteen + i, &mut b, v[i]);
            }
        }
        a = [_mm_add_epi32(a[0], before_a[0]), _mm_add_epi32(a[1], before_a[1])];
        b = [_mm_add_epi32(b[0], before_b[0]), _mm_add_epi32(b[1], before_b[1])];
    }
    (*first, *second) = (stored(a), stored(b));
}

/// Four rounds.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn rounds(group: usize, [abef, cdgh]: &mut [__m128i; 2], words: __m128i) {
    let k = &K[4 * group..4 * group + 4];
    let k = _mm_set_epi32(k[3].cast_signed(), k[2].cast_signed(), k[1].cast_signed(), k[0].cast_signed());
    let sum = _mm_add_epi32(words, k);
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0E));
}

/// The four words of the message schedule that come in the place of `w[i]`.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn scheduled(i: usize, w: &[__m128i; 4]) -> __m128i {
    let (w0, w1, w2, w3) = (w[i], w[(i + 1) % 4], w[(i + 2) % 4], w[(i + 3) % 4]);
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    _mm_sha256msg2_epu32(sum, w3)
}

/// A block's sixteen words, most significant byte first.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn words(block: &Block) -> [__m128i; 4] {
    let reversed = _mm_set_epi64x(0x0C0D_0E0F_0809_0A0B, 0x0405_0607_0001_0203);
    let (halves, _) = block.as_chunks::<8>();
    let quarter = |at: usize| (i64::from_le_bytes(halves[2 * at]), i64::from_le_bytes(halves[2 * at + 1]));
    let (a, b, c, d) = (quarter(0), quarter(1), quarter(2), quarter(3));
    [
        _mm_shuffle_epi8(_mm_set_epi64x(a.1, a.0), reversed),
        _mm_shuffle_epi8(_mm_set_epi64x(b.1, b.0), reversed),
        _mm_shuffle_epi8(_mm_set_epi64x(c.1, c.0), reversed),
        _mm_shuffle_epi8(_mm_set_epi64x(d.1, d.0), reversed),
    ]
}

/// The state in the order in which the instructions take it.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load(state: &State) -> [__m128i; 2] {
    let word = |at: usize| state[at].cast_signed();
    [_mm_set_epi32(word(0), word(1), word(4), word(5)), _mm_set_epi32(word(2), word(3), word(6), word(7))]
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn stored([abef, cdgh]: [__m128i; 2]) -> State {
    let words = [
        _mm_extract_epi32::<3>(abef),
        _mm_extract_epi32::<2>(abef),
        _mm_extract_epi32::<3>(cdgh),
        _mm_extract_epi32::<2>(cdgh),
        _mm_extract_epi32::<1>(abef),
        _mm_extract_epi32::<0>(abef),
        _mm_extract_epi32::<1>(cdgh),
        _mm_extract_epi32::<0>(cdgh),
    ];
    words.map(i32::cast_unsigned)
}
