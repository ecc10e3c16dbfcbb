//! What happens, step by step; steps of several stories come interleaved.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::{
    chance::{Chance, Zipf},
    plan::{Attack, Mix},
};

/// One thing that happens; what it does to the world is decided when it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    LoggedIn {
        user: u32,
        address: Address,
    },
    LoginFailed {
        user: u32,
        address: Address,
    },
    LoggedOut {
        user: u32,
        address: Address,
    },
    /// `night` = minutes after three o'clock.
    Looked {
        user: u32,
        subject: u32,
        night: Option<u32>,
    },
    Placed {
        user: u32,
        order: u32,
        article: u32,
        quantity: u32,
    },
    /// Stock goes down, or up again.
    Stocked {
        user: u32,
        article: u32,
        change: i32,
    },
    Paid {
        user: u32,
        order: u32,
        refused: bool,
    },
    /// An order goes from one status to the next.
    Moved {
        user: u32,
        order: u32,
        from: &'static str,
        to: &'static str,
    },
    Exported {
        user: u32,
        document: u32,
    },
    Deleted {
        user: u32,
        document: u32,
    },
}

/// Where somebody is: at home (an address for each user), or where attackers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    Own,
    Foreign,
}

/// Steps that follow from one another, in one correlation.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) steps: VecDeque<Step>,
    pub(crate) correlation: Uuid,
    /// The event of the step before.
    pub(crate) cause: Option<Uuid>,
    pub(crate) is_attack: bool,
}

impl Story {
    fn new(steps: Vec<Step>, chance: &mut Chance) -> Self {
        Self { steps: steps.into(), correlation: chance.uuid(), cause: None, is_attack: false }
    }

    /// An everyday story; `order` is the number of the order that it may place.
    pub(crate) fn begin(
        mix: Mix,
        users: &Zipf,
        articles: &Zipf,
        order: &mut u32,
        chance: &mut Chance,
    ) -> Self {
        let user = users.pick(chance);
        let drawn = chance.below((mix.logins + mix.accesses + mix.orders).max(1));
        let steps = if drawn < mix.logins {
            login(user, chance)
        } else if drawn < mix.logins + mix.accesses {
            vec![Step::Looked { user, subject: users.pick(chance), night: None }]
        } else {
            *order += 1;
            purchase(user, *order, articles.pick(chance), chance)
        };
        Self::new(steps, chance)
    }

    /// An attack, by one of the users.
    pub(crate) fn attack(attack: Attack, users: &Zipf, chance: &mut Chance) -> Self {
        let user = users.pick(chance);
        let first = 1000 + chance.below(9000) * 100;
        let steps =
            (0..).take(usize::try_from(attack.events()).unwrap_or(0)).map(|number: u32| match attack {
                Attack::FailedLogins if number < 12 => Step::LoginFailed { user, address: Address::Foreign },
                Attack::FailedLogins => Step::LoggedIn { user, address: Address::Foreign },
                Attack::MassDownload => Step::Exported { user, document: first + number },
                Attack::NightAccess => {
                    Step::Looked { user, subject: users.pick(chance), night: Some(number * 4 + 1) }
                }
                Attack::MassDeletion => Step::Deleted { user, document: first + number },
            });
        let steps: Vec<_> = steps.collect();
        Self { is_attack: true, ..Self::new(steps, chance) }
    }
}

fn login(user: u32, chance: &mut Chance) -> Vec<Step> {
    let address = Address::Own;
    let mut steps = Vec::new();
    if chance.percent(15) {
        steps.push(Step::LoginFailed { user, address });
    }
    steps.push(Step::LoggedIn { user, address });
    if chance.percent(60) {
        steps.push(Step::LoggedOut { user, address });
    }
    steps
}

fn purchase(user: u32, order: u32, article: u32, chance: &mut Chance) -> Vec<Step> {
    let quantity = 1 + chance.below(4);
    let change = i32::try_from(quantity).expect("at most four");
    let moved = |from, to| Step::Moved { user, order, from, to };
    let mut steps = vec![
        Step::Placed { user, order, article, quantity },
        Step::Stocked { user, article, change: -change },
    ];
    if chance.percent(90) {
        steps.push(Step::Paid { user, order, refused: false });
        steps.push(moved("placed", "paid"));
        steps.push(moved("paid", "shipped"));
    } else {
        steps.push(Step::Paid { user, order, refused: true });
        steps.push(moved("placed", "cancelled"));
        steps.push(Step::Stocked { user, article, change });
    }
    steps
}
