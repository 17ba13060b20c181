//! Connections of upstream accounts, and whose turn a refresh is.

use std::time::Duration;

use super::{Book, places_row, refresh_row};
use crate::ask::Answer;
use crate::digest::Digest;
use crate::lease::{Foreign, Lease};
use crate::timing::LITTER;

impl Book<'_, '_> {
    pub(super) fn enter(
        &mut self,
        lease: Lease,
        account: Digest,
        cap: u32,
    ) -> Result<Answer, Foreign> {
        if self.standing(lease)?.is_none() {
            return Ok(Answer::NoLease);
        }
        let places = self.places(account)?;
        let all = places
            .iter()
            .map(|(_, count)| u64::from(*count))
            .sum::<u64>();
        if all >= u64::from(cap) {
            return Ok(Answer::InUse);
        }
        let own = places.iter().find(|(holder, _)| *holder == lease);
        let count = own.map_or(0, |(_, count)| *count).saturating_add(1);
        self.put_places(account, places, lease, count);
        Ok(Answer::Done)
    }

    pub(super) fn count(
        &mut self,
        lease: Lease,
        account: Digest,
        count: u32,
    ) -> Result<Answer, Foreign> {
        if self.standing(lease)?.is_none() {
            return Ok(Answer::NoLease);
        }
        let places = self.places(account)?;
        self.put_places(account, places, lease, count);
        Ok(Answer::Done)
    }

    pub(super) fn refresh(
        &mut self,
        lease: Lease,
        grant: Digest,
        turn: u64,
        span: Duration,
    ) -> Result<Answer, Foreign> {
        if self.standing(lease)?.is_none() {
            return Ok(Answer::NoLease);
        }
        let row = refresh_row(grant);
        let holder = self.get(&row).map(read_turn).transpose()?;
        if holder.is_some_and(|(holder, _)| self.lives(holder)) {
            return Ok(Answer::InUse);
        }
        self.set(&row, format!("{lease} {turn}"), Some(span));
        Ok(Answer::Done)
    }

    pub(super) fn refreshed(
        &mut self,
        lease: Lease,
        grant: Digest,
        turn: u64,
    ) -> Result<Answer, Foreign> {
        let row = refresh_row(grant);
        if self.get(&row).map(read_turn).transpose()? == Some((lease, turn)) {
            self.delete(&row);
        }
        Ok(Answer::Done)
    }

    /// Of the nodes that live.
    fn places(&self, account: Digest) -> Result<Vec<(Lease, u32)>, Foreign> {
        let row = self.get(&places_row(account)).unwrap_or_default();
        let read = |word: &str| {
            let (lease, count) = word.split_once('=').ok_or(Foreign)?;
            Ok((lease.parse()?, count.parse().map_err(|_| Foreign)?))
        };
        let places = row.split_ascii_whitespace().map(read);
        let mut places = places.collect::<Result<Vec<(Lease, u32)>, Foreign>>()?;
        places.retain(|(lease, _)| self.lives(*lease));
        Ok(places)
    }

    fn put_places(
        &mut self,
        account: Digest,
        mut places: Vec<(Lease, u32)>,
        lease: Lease,
        count: u32,
    ) {
        places.retain(|(holder, _)| *holder != lease);
        if count > 0 {
            places.push((lease, count));
        }
        let row = places_row(account);
        if places.is_empty() {
            return self.delete(&row);
        }
        let words: Vec<String> = places
            .iter()
            .map(|(lease, count)| format!("{lease}={count}"))
            .collect();
        self.set(&row, words.join(" "), Some(LITTER));
    }
}

fn read_turn(value: &str) -> Result<(Lease, u64), Foreign> {
    let (lease, turn) = value.split_once(' ').ok_or(Foreign)?;
    Ok((lease.parse()?, turn.parse().map_err(|_| Foreign)?))
}
