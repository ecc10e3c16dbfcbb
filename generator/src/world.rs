//! The world that events come out of, one after the other.

use std::collections::{BTreeMap, HashMap};

use shared::{
    envelope::Envelope,
    timestamp::Timestamp,
    vocabulary::{self, Action, Outcome, Severity},
};

use crate::{
    chance::{Chance, Zipf},
    happening::{Happening, article_id},
    plan::Plan,
    story::{Step, Story},
};

/// Stories that are under way at once, at most.
const UNDER_WAY: usize = 24;
/// What a shelf holds at first.
const FIRST_STOCK: i32 = 1000;

/// An endless or bounded sequence of events, made by a plan alone.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    /// See [`Plan::tag`].
    tag: String,
    number: u64,
    chance: Chance,
    users: Zipf,
    articles: Zipf,
    stories: Vec<Story>,
    attacks: Vec<Story>,
    orders: u32,
    stock: HashMap<u32, i32>,
    versions: HashMap<(&'static str, String), i64>,
}

impl World {
    /// The world of a plan, before anything has happened.
    pub fn new(plan: Plan) -> Self {
        let (users, articles) = (Zipf::new(plan.users), Zipf::new(plan.articles));
        let mut chance = Chance::new(plan.seed);
        let mut attacks: Vec<_> =
            plan.attacks.iter().map(|attack| Story::attack(*attack, &users, &mut chance)).collect();
        // The next one is taken off the end.
        attacks.reverse();
        Self {
            tag: plan.tag(),
            plan,
            number: 0,
            chance,
            users,
            articles,
            stories: Vec::new(),
            attacks,
            orders: 0,
            stock: HashMap::new(),
            versions: HashMap::new(),
        }
    }

    /// The story that goes on now.
    fn take_story(&mut self) -> Story {
        if self.number >= self.plan.attack_begins()
            && let Some(attack) = self.attacks.pop()
        {
            return attack;
        }
        let go_on = self.stories.len() >= UNDER_WAY || !self.stories.is_empty() && self.chance.percent(70);
        if go_on {
            let count = u32::try_from(self.stories.len()).unwrap_or(u32::MAX);
            let index = usize::try_from(self.chance.below(count)).unwrap_or(0);
            return self.stories.swap_remove(index);
        }
        Story::begin(self.plan.mix, &self.users, &self.articles, &mut self.orders, &mut self.chance)
    }

    fn put_back(&mut self, story: Story) {
        if story.steps.is_empty() {
            return;
        }
        // An attack is a burst: nothing comes in between.
        if story.is_attack { self.attacks.push(story) } else { self.stories.push(story) }
    }

    fn happen(&mut self, step: &Step, story: &mut Story) -> Envelope {
        let article = if let Step::Stocked { article, .. } = step { *article } else { 0 };
        let happening = Happening::of(step, &self.tag, self.stock.entry(article).or_insert(FIRST_STOCK));
        debug_assert!(
            happening.aggregate_type != "Stock" || happening.aggregate_id == article_id(&self.tag, article)
        );
        let timestamp = self.time_of(step);
        let millis = u64::try_from(timestamp.as_micros() / 1000).unwrap_or(0);
        let event_id = self.chance.event_id(millis);
        let version = if happening.is_versioned {
            let counted = (happening.aggregate_type, happening.aggregate_id.clone());
            let version = self.versions.entry(counted).or_default();
            *version += 1;
            *version
        } else {
            0
        };
        let metadata = self.metadata(&happening, story);
        story.cause = Some(event_id);
        Envelope {
            event_id: event_id.to_string(),
            event_type: happening.event_type.to_owned(),
            aggregate_type: happening.aggregate_type.to_owned(),
            aggregate_id: happening.aggregate_id,
            timestamp,
            version,
            payload: serde_json::to_string(&happening.payload).expect("texts and numbers"),
            metadata,
        }
    }

    fn time_of(&self, step: &Step) -> Timestamp {
        const DAY: i64 = 86_400_000_000;
        const MINUTE: i64 = 60_000_000;
        match step {
            Step::Looked { night: Some(minutes), .. } => {
                let midnight = self.plan.start.as_micros().div_euclid(DAY) * DAY;
                let three = midnight + 180 * MINUTE;
                let last =
                    if three + 60 * MINUTE > self.plan.start.as_micros() { three - DAY } else { three };
                Timestamp::from_micros(last + i64::from(*minutes) * MINUTE)
            }
            _ => self.plan.time(self.number),
        }
    }

    fn metadata(&self, happening: &Happening, story: &Story) -> BTreeMap<String, String> {
        let words = vocabulary::lookup(happening.event_type);
        let pairs = [
            ("userId", Some(happening.user.clone())),
            ("organizationId", Some(self.plan.organization.clone())),
            ("source", Some(happening.service.to_owned())),
            ("ipAddress", Some(happening.address.clone())),
            ("correlationId", Some(story.correlation.to_string())),
            ("causationId", story.cause.map(|cause| cause.to_string())),
            ("category", words.map(|row| row.category.as_str().to_owned())),
            ("action", words.and_then(|row| row.action).map(Action::as_str).map(str::to_owned)),
            ("outcome", words.and_then(|row| row.outcome).map(Outcome::as_str).map(str::to_owned)),
            ("severity", words.and_then(|row| row.severity).map(Severity::as_str).map(str::to_owned)),
        ];
        pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

impl Iterator for World {
    type Item = Envelope;

    fn next(&mut self) -> Option<Envelope> {
        if self.plan.events == Some(self.number) {
            return None;
        }
        let mut story = self.take_story();
        let step = story.steps.pop_front()?;
        let envelope = self.happen(&step, &mut story);
        self.number += 1;
        self.put_back(story);
        Some(envelope)
    }
}
