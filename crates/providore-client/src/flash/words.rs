//! Reading and writing of any length, where the flash knows whole words and sectors.

use embedded_storage_async::nor_flash::NorFlash;

use super::layout::{MAX_WORD, small};
use crate::StoreError;

/// Bytes on their way to the flash, in sequence. What fills no word yet waits in memory.
pub(super) struct Words {
    at: u32,
    erases: bool,
    word: [u8; MAX_WORD],
    waiting: usize,
}

impl Words {
    /// From that word on. `erases` says whether sectors are erased as they are come to.
    pub(super) const fn new(at: u32, erases: bool) -> Self {
        Self {
            at,
            erases,
            word: [0xFF; MAX_WORD],
            waiting: 0,
        }
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u32 {
        self.at.saturating_add(small(self.waiting))
    }

    /// Where what has not been written begins.
    pub(super) const fn written(&self) -> u32 {
        self.at
    }

    /// What has not been written.
    pub(super) fn waiting(&self) -> &[u8] {
        self.word.get(..self.waiting).unwrap_or_default()
    }

    pub(super) async fn append<F: NorFlash>(
        &mut self,
        flash: &mut F,
        mut chunk: &[u8],
    ) -> Result<(), StoreError> {
        while !chunk.is_empty() {
            if self.waiting > 0 || chunk.len() < F::WRITE_SIZE {
                let free = self.word.get_mut(self.waiting..F::WRITE_SIZE);
                let free = free.unwrap_or_default();
                let taken = copy(chunk, free);
                self.waiting = self.waiting.saturating_add(taken);
                chunk = chunk.get(taken..).unwrap_or_default();
                if self.waiting >= F::WRITE_SIZE {
                    self.pad(flash).await?;
                }
            } else {
                let gone = (self.at as usize).checked_rem(F::ERASE_SIZE).unwrap_or(0);
                let taken = F::ERASE_SIZE.saturating_sub(gone).min(chunk.len());
                let odd = taken.checked_rem(F::WRITE_SIZE).unwrap_or(0);
                let (now, later) = chunk.split_at(taken.saturating_sub(odd));
                self.program(flash, now).await?;
                chunk = later;
            }
        }
        Ok(())
    }

    /// Writes the word that has been waiting; what it lacks stays erased.
    pub(super) async fn pad<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), StoreError> {
        if self.waiting == 0 {
            return Ok(());
        }
        let mut word = [0xFF; MAX_WORD];
        copy(self.waiting(), &mut word);
        self.waiting = 0;
        let word = word.get(..F::WRITE_SIZE).unwrap_or_default();
        self.program(flash, word).await
    }

    /// Writes words within a sector, which is erased first where they are its beginning.
    async fn program<F: NorFlash>(
        &mut self,
        flash: &mut F,
        words: &[u8],
    ) -> Result<(), StoreError> {
        let erase = small(F::ERASE_SIZE);
        if self.erases && self.at.checked_rem(erase) == Some(0) {
            let end = self.at.saturating_add(erase);
            flash.erase(self.at, end).await.map_err(fault)?;
        }
        flash.write(self.at, words).await.map_err(fault)?;
        self.at = self.at.saturating_add(small(words.len()));
        Ok(())
    }
}

/// Reads from anywhere as much as is aligned, or a part of a word.
pub(super) async fn read_some<F: NorFlash>(
    flash: &mut F,
    at: u32,
    buffer: &mut [u8],
) -> Result<usize, StoreError> {
    let skipped = at.checked_rem(small(F::READ_SIZE)).unwrap_or(0);
    let odd = buffer.len().checked_rem(F::READ_SIZE).unwrap_or(0);
    let whole = buffer.len().saturating_sub(odd);
    if skipped == 0 && whole > 0 {
        let aligned = buffer.get_mut(..whole).unwrap_or_default();
        flash.read(at, aligned).await.map_err(fault)?;
        return Ok(whole);
    }
    let mut word = [0; MAX_WORD];
    let word = word.get_mut(..F::READ_SIZE).unwrap_or_default();
    let begin = at.saturating_sub(skipped);
    flash.read(begin, word).await.map_err(fault)?;
    Ok(copy(
        word.get(skipped as usize..).unwrap_or_default(),
        buffer,
    ))
}

/// Fills the buffer from anywhere.
pub(super) async fn read_exact<F: NorFlash>(
    flash: &mut F,
    mut at: u32,
    mut buffer: &mut [u8],
) -> Result<(), StoreError> {
    while !buffer.is_empty() {
        let length = read_some(flash, at, buffer).await?;
        at = at.saturating_add(small(length));
        buffer = buffer.get_mut(length..).unwrap_or_default();
    }
    Ok(())
}

/// As much as fits; says how much.
pub(super) fn copy(from: &[u8], to: &mut [u8]) -> usize {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    from.len().min(to.len())
}

pub(super) fn fault<E>(_: E) -> StoreError {
    StoreError::failed()
}
