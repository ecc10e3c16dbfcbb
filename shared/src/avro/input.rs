//! The bytes of a datum, and what may still be taken from them.

/// The most values in one datum: fields, items and map values, those of no size included.
pub(super) const MAX_VALUES: usize = 262_144;
/// The longest string or bytes that a datum may claim; a record is far smaller.
const MAX_LENGTH: usize = 64 * 1024 * 1024;

/// Why a datum cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its bytes are not a datum of its schema.
    Malformed(&'static str),
    /// It claims more than a limit allows.
    Limit(&'static str),
}

/// A reader over a datum that was never trusted.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(datum: &'a [u8]) -> Self {
        Self { rest: datum, values: MAX_VALUES }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Counts values before they are read, so that items of no size cost no more than others.
    pub(super) fn claim(&mut self, values: usize) -> Result<(), Fault> {
        self.values = self.values.checked_sub(values).ok_or(Fault::Limit("more than 262,144 values"))?;
        Ok(())
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(Fault::Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) =
            self.rest.split_first_chunk::<N>().ok_or(Fault::Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A zigzag variable-length number.
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        let mut value = 0_u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(Fault::Malformed("a number of more than 64 bits"));
            }
            value |= u64::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(Fault::Malformed("it ends too early"))
    }

    pub(super) fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| Fault::Malformed("an int of more than 32 bits"))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Fault::Malformed("a boolean that is neither 0 nor 1")),
        }
    }

    /// The index of a union's branch or an enum's symbol.
    pub(super) fn index(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.long()?).map_err(|_| Fault::Malformed("a negative index"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.long()?).map_err(|_| Fault::Malformed("a negative length"))?;
        if length > MAX_LENGTH {
            return Err(Fault::Limit("a string or bytes claims more than 64 MiB"));
        }
        self.take(length)
    }

    pub(super) fn string(&mut self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::Malformed("a string that is not UTF-8"))
    }

    /// How many items the next block of an array or map holds, already claimed; 0 at its end.
    pub(super) fn block(&mut self) -> Result<usize, Fault> {
        let count = self.long()?;
        if count < 0 {
            // A negative count is followed by the block's size, for readers that skip it.
            let size = self.long()?;
            if !usize::try_from(size).is_ok_and(|size| size <= self.rest.len()) {
                return Err(Fault::Malformed("a block's size goes beyond the end"));
            }
        }
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        self.claim(count)?;
        Ok(count)
    }
}
