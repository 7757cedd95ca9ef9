"""The words: exact inflections, written for headlines about listed companies."""

POSITIVE = frozenset(
    """
    accelerate accelerated accelerates accelerating acclaim acclaimed achieve achieved achieves
    achieving advance advanced advances advancing advantage advantages award awarded awards beat
    beaten beating beats benefit benefited benefiting benefits best better boom booming boost
    boosted boosting boosts breakthrough breakthroughs bright brighter bullish buyback buybacks
    climb climbed climbing climbs confident creates delight delighted delivers efficiency
    efficient enhance enhanced enhances enhancing exceed exceeded exceeding exceeds excellent
    exceptional expand expanded expanding expands expansion favorable favourable gain gained
    gaining gains good great grew grow growing grown grows growth healthy high-margin highest
    hike hiked improve improved improvement improvements improves improving increase increased
    increases increasing innovation innovative jump jumped jumping jumps landmark lead leader
    leaders leading lifted lifts lucrative milestone momentum optimism optimistic outpaced
    outpaces outperform outperformed outperforming outperforms outstanding overweight positive
    profit profitability profitable profits progress prosper prospered prosperous raise raised
    raises raising rallied rallies rally rallying rebound rebounded rebounding rebounds record
    recover recovered recovering recovers recovery resilient rewarded rise risen rises rising
    robust rose satisfied skyrocket skyrocketed soar soared soaring soars solid stellar strength
    strengthen strengthened strengthening strengthens strong stronger strongest succeed
    succeeded succeeds success successes successful successfully surge surged surges surging
    surpass surpassed surpasses surpassing thrive thrived thrives thriving top topped tops
    triumph upbeat upgrade upgraded upgrades upside upswing upturn win winner winners winning
    wins won wow
    """.split()
)

NEGATIVE = frozenset(
    """
    abandon abandoned abandons abuse accident accidents accusation accusations accused accuses
    adverse alarm alarming allegation allegations alleged alleges antitrust bad bailout bankrupt
    bankruptcies bankruptcy bearish bleak blow boycott breach breached breaches bribery burden
    burdened cancel canceled cancelled cancels caution cautious collapse collapsed collapses
    collapsing complaint complaints concern concerned concerns contracted contraction crash
    crashed crashes crashing crisis cut cuts cutting damage damaged damages damaging danger
    dangerous debacle decline declined declines declining decrease decreased decreases
    decreasing default defaulted defaults defect defective defects deficit deficits delay
    delayed delaying delays delist delisted delisting deteriorate deteriorated deteriorates
    deteriorating deterioration dip dipped dips disappoint disappointed disappointing
    disappointment disappoints disaster disastrous dismal dispute disputed disputes disruption
    disruptions dive dived downbeat downgrade downgraded downgrades downside downturn downward
    drag dragged drop dropped dropping drops embezzlement erode eroded erosion evasion fail
    failed failing fails failure failures fall fallen falling falls fear feared fears fell fine
    fined fines flop flopped fraud fraudulent glitch halt halted halts hamper hampered hurt
    hurting hurts illegal impairment impairments inadequate indicted indictment inflationary
    insolvency insolvent investigated investigation investigations jeopardise jeopardize lag
    lagged lagging lags lawsuit lawsuits layoff layoffs liquidated liquidation litigation lose
    loser losers loses losing loss losses lost low lower lowered lowering lowers lowest
    misconduct miss missed misses missing negative negatively obstacle outage outages overdue
    penalties penalty pessimism pessimistic plague plagued plummet plummeted plummeting plummets
    plunge plunged plunges plunging poor poorer poorly pressure pressured probe probed probes
    problem problems protest protests punish punished recall recalled recalls recession
    recessionary reject rejected rejects resign resignation resigned resigns restated
    restatement risk riskier risks risky sank scandal scandals selloff setback setbacks severe
    shortage shortages shortfall shortfalls shrank shrink shrinking shrinks shrunk shut shutdown
    sink sinking sinks slash slashed slashes slashing slid slide slides sliding slow slowdown
    slowed slower slowing slows sluggish slump slumped slumping slumps spill stagnant stagnation
    steep strike strikes struggle struggled struggles struggling stumble stumbled stumbles
    subpoena sue sued sues suffer suffered suffering suffers suspend suspended suspends
    suspension tank tanked threat threaten threatened threatens threats trouble troubled
    troubles tumble tumbled tumbles tumbling turmoil uncertain uncertainties uncertainty
    underperform underperformed underperforming underperforms underweight unfavorable
    unfavourable unprofitable unrest unsold violate violated violates violation violations
    volatile vulnerable warn warned warning warnings warns weak weaken weakened weakening
    weakens weaker weakest weakness woes worried worries worry worse worsen worsened worsening
    worsens worst worthless writedown writedowns writeoff writeoffs wrongdoing
    """.split()
)

PHRASES: dict[str, int] = {
    "beats estimates": 1,
    "better than expected": 1,
    "better than feared": 1,
    "cost savings": 1,
    "going concern": -1,
    "less than expected": -1,
    "lower cost": 1,
    "lower costs": 1,
    "narrower loss": 1,
    "profit warning": -1,
    "record high": 1,
    "record loss": -1,
    "record low": -1,
    "record profit": 1,
    "short of expectations": -1,
    "worse than expected": -1,
}

NEGATIONS = frozenset(
    """
    aren't barely can't cannot couldn't didn't doesn't don't hadn't hardly hasn't haven't isn't
    neither never no nobody none nor not nothing shouldn't wasn't weren't without won't wouldn't
    """.split()
)
