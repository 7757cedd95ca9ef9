"""The word lists of the lexicon: exact inflections with the tone they carry in financial news.

Written for this project. A word is listed where it tells good news from bad in a headline, and
left out where it merely names a thing (profit, debt, tax) or turns on its neighbours.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(line.split()) for line in text.strip().splitlines())


POSITIVE = _words(
    """
    accelerate accelerated accelerates accelerating accelerates acclaimed accretive
    achieve achieved achieves achieving achievement achievements advance advanced advances advancing
    advantage advantages advantageous ahead applaud applauded applauds attractive award awarded awards
    beat beaten beating beats beneficial benefit benefited benefiting benefits best better
    bolster bolstered bolstering bolsters boom boomed booming booms boost boosted boosting boosts
    breakthrough breakthroughs bright brighter brightest brisk broaden broadened broadening bullish buoyant
    buoyed cheer cheered cheers climb climbed climbing climbs
    comeback comfortable commended competitive confident constructive
    delight delighted delights diversified doubled doubles doubling durable
    ease eased eases easing efficiencies efficiency efficient
    enable enabled enables enhance enhanced enhancement enhances enhancing
    encouraged encouraging excel excelled excellent excels exceed exceeded exceeding exceeds exceptional
    excited exciting expand expanded expanding expands expansion
    favor favorable favorably favored favour favourable favourably favoured flourish flourished flourishing
    gain gained gainer gainers gaining gains good great greater greatest grew grow growing grown grows growth
    healthier healthy high higher highest honored
    impressed impressive improve improved improvement improvements improves improving
    increase increased increases increasing innovation innovations innovative
    jump jumped jumping jumps
    leader leaders leadership leading lifted lifts lucrative
    milestone milestones momentum
    optimism optimistic outpace outpaced outpaces outperform outperformed outperforming outperforms
    outstanding overcame overcome oversubscribed
    pleased pleasing popular positive positively praise praised premier prevail prevailed
    profitability profitable profitably progress progressed promising prosper prospered prosperity prosperous
    raise raised raises raising rallied rallies rally rallying
    rebound rebounded rebounding rebounds recover recovered recovering recovers recovery
    reiterated resilience resilient resolved reward rewarded rewarding rewards
    rise risen rises rising robust rocket rocketed rockets rose
    smooth smoothly soar soared soaring soars solid solidly spike spiked
    stabilise stabilised stabilises stabilize stabilized stabilizes stable steady stellar
    strength strengthen strengthened strengthening strengthens strong stronger strongest strongly
    succeed succeeded succeeds success successes successful successfully superb superior
    surge surged surges surging surpass surpassed surpasses surpassing sustainable synergies synergy
    thrive thrived thrives thriving top topped tops transformative tremendous tripled triples triumph
    trounce trounced unbeaten undervalued unmatched unrivalled
    up upbeat upgrade upgraded upgrades upgrading uplift upside upswing uptick upturn upward
    vibrant victories victory vigorous
    well win winner winners winning wins won wonderful worthwhile
    """
)

NEGATIVE = _words(
    """
    abandon abandoned abandons abuse abuses accident accidents accusation accusations accuse accused accuses
    adverse adversely aggravated alarm alarmed alarming allegation allegations allege alleged alleges
    antitrust anxiety anxious arrest arrested arrests
    backlash bad badly bankrupt bankruptcies bankruptcy barred bearish bleak bleed bleeding blow blunder
    boycott boycotts breach breached breaches bribe bribery bribes broken burden burdened burdens
    cancel cancelled canceled cancels cancellation cancellations careless casualties caution cautioned
    cautious ceased challenging cheat cheated closure closures
    collapse collapsed collapses collapsing complain complained complaint complaints concern concerned concerns
    condemned conflict conflicts contamination contraction corrupt corruption costlier crash crashed crashes
    crashing crime crimes criminal crises crisis critical criticised criticism criticized cuts cut cutting
    damage damaged damages damaging danger dangerous dangers deadlock death deaths decline declined declines
    declining decrease decreased decreases decreasing default defaulted defaults defect defective defects
    deficit deficits delay delayed delaying delays delinquencies delinquency delinquent delist delisted delisting
    denied denies depressed deteriorate deteriorated deteriorates deteriorating deterioration devastated
    devastating difficult difficulties difficulty dilution dilutive dim diminished disappoint disappointed
    disappointing disappointment disappoints disaster disasters disastrous dismal dispute disputed disputes
    disrupt disrupted disruption disruptions distress distressed dive dived dives divestiture doubt
    doubtful doubts down downbeat downgrade downgraded downgrades downgrading downside downsize downsizing
    downturn downward drag dragged drags drop dropped dropping drops dump dumped dumps dwindle dwindled
    dwindling
    embargo embattled erode eroded erodes eroding erosion error errors evade evasion exodus exploit exploited
    fail failed failing fails failure failures fall fallen falling falls fear feared fears fell fined
    fines fire fired flaw flawed flaws fled foreclosure foreclosures fraud frauds fraudulent freeze frozen
    furlough furloughs
    gloom gloomier gloomy glut grim halt halted halting halts hamper hampered hampers harm harmed harmful harms
    harsh headwind headwinds hurt hurting hurts
    idle idled illegal illegally impair impaired impairment impairments inability inadequate indicted
    indictment inferior injunction injured injuries insolvencies insolvency insolvent investigate
    investigated investigation investigations irregularities
    jeopardise jeopardize jeopardy kill killed lack lacked lacking lacklustre lackluster lag lagged lagging lags
    lawsuit lawsuits layoff layoffs leak leaked leaks liquidate liquidated liquidation litigation lose
    loses losing loss losses lost low lower lowered lowering lowers lowest
    malfunction manipulated manipulation misconduct mislead misleading misled misses missed miss missing
    misstated misstatement mistake mistakes
    negative negatively negligence negligent obsolete obstacle obstacles offence outage outages overdue
    overhang overvalued
    painful panic penalties penalty pessimism pessimistic plague plagued plummet plummeted plummeting plummets
    plunge plunged plunges plunging poor poorer poorly postpone postponed postpones pressured probe probes
    problem problems prosecuted prosecutors protest protests punished
    recall recalled recalls recession recessions reduce reduced reduces reducing reduction reductions
    redundancies redundant reject rejected rejection rejects resign resigned resigns restated restatement
    retreat retreated retreats retrench risk risks risky
    sacked sag sagged sags sank scandal scandals scrapped selloff setback setbacks severe severely shed shock
    shocked shocking shortage shortages shortfall shortfalls shrank shrink shrinking shrinks shrunk
    shutdown shutdowns sink sinking sinks slack slash slashed slashes slashing slid slide slides sliding slip
    slipped slipping slips slow slowed slower slowdown slowing slows sluggish slump slumped slumping slumps
    soften softened softer spooked squeeze squeezed stagnant stagnated stagnation stall stalled stalls strain
    strained strike strikes struggle struggled struggles struggling stumble stumbled stumbles subpoena
    subpoenaed sue sued sues suffer suffered suffering suffers suspend suspended suspends suspension
    tainted tank tanked tanks tariff tariffs terminate terminated terminates termination theft threat threaten
    threatened threatening threatens threats tough tougher trouble troubled troubles tumble
    tumbled tumbles tumbling turmoil
    unable uncertain uncertainties uncertainty undermine undermined underperform underperformed
    underperforming underperforms unexpectedly unfavorable unfavourable unlawful unpaid unprofitable unrest
    unstable unsuccessful upset
    violate violated violates violation violations volatile volatility vulnerable
    warn warned warning warnings warns weak weaken weakened weakening weakens weaker weakest weakness weaknesses
    withdraw withdrawn withdrew woes worried worries worry worrying worse worsen worsened worsening worsens
    worst worthless writedown writedowns wrong
    """
)

POSITIVE_PHRASES = _phrases(
    """
    record profit
    record profits
    record revenue
    record revenues
    record sales
    record earnings
    record high
    record highs
    record quarter
    all time high
    better than expected
    higher than expected
    stronger than expected
    above expectations
    above estimates
    above forecasts
    beats estimates
    tops estimates
    up from
    back in the black
    swings to profit
    swung to profit
    returns to profit
    turned to profit
    turned profitable
    narrower loss
    narrowed loss
    loss narrowed
    loss narrows
    losses narrowed
    losses narrow
    smaller loss
    smaller than expected
    less than expected
    lower costs
    costs fell
    cost savings
    cost cuts
    debt reduction
    reduced debt
    reduces debt
    lower debt
    signed a contract
    signs contract
    signs deal
    wins contract
    wins order
    won contract
    share buyback
    stock buyback
    buy rating
    special dividend
    regulatory approval
    lawsuit dismissed
    """
)

NEGATIVE_PHRASES = _phrases(
    """
    profit warning
    profit warnings
    going concern
    worse than expected
    lower than expected
    weaker than expected
    slower than expected
    below expectations
    below estimates
    below forecasts
    misses estimates
    down from
    in the red
    swings to loss
    swung to loss
    swing to a loss
    swung to a loss
    wider loss
    widened loss
    loss widened
    loss widens
    losses widened
    losses widen
    higher costs
    rising costs
    costs rose
    record loss
    record losses
    record low
    all time low
    job cuts
    pay cut
    rate hike
    guidance cut
    cuts guidance
    cuts forecast
    lowers guidance
    lowers forecast
    class action
    data breach
    chapter 11
    chapter eleven
    sell off
    sell rating
    margin call
    margin pressure
    bad debt
    bad debts
    short seller
    trading halt
    shut down
    slow down
    write down
    write downs
    write off
    write offs
    laid off
    lay off
    lays off
    """
)

NEUTRAL_PHRASES = _phrases(
    """
    as well as
    as well
    set up
    sets up
    setting up
    start up
    follow up
    end up
    made up
    make up
    makes up
    up to
    down payment
    top management
    high tech
    high speed
    high end
    not only
    not just
    no doubt
    interest rate cut
    rate cut
    """
)

NEGATIONS = _words(
    """
    no not never without cannot neither nor none nobody nothing hardly barely scarcely lacks
    """
)

NEGATING_PHRASES = _phrases(
    """
    fail to
    fails to
    failed to
    failing to
    failure to
    unable to
    no longer
    far from
    """
)
