"""English words that call for help: the table, sentence by sentence over `streaming.text.normalized` (lower case, no
marks, `can't` = `cant`).

First persons and present tenses are spelt out: "he had a stroke" is news or a memory.
"""

from __future__ import annotations

import re

from silvertalk.distress_calls import Call, Form, Kind

_VERY = (
    r"(?:(?:really|so|very|just|even|properly|hardly|barely|suddenly|now|always|still|simply|honestly|badly|terribly"
    r") )*"
)
_I_AM = r"\b(?:im|i am|ive|i have|i feel|i feel like im|i think im|i think i am|i might be|i must be|am i|i may be)"
_CANNOT = r"(?:cant|cannot|can not|can t|am not able to|im not able to|could hardly|can hardly|can barely|am unable to)"
_MY = r"\b(?:my|the)"


def _calls(kind: Kind, form: Form, *patterns: str, unless: str = "") -> list[Call]:
    everyday = re.compile(unless) if unless else None
    return [Call(kind, form, re.compile(pattern, re.MULTILINE), everyday) for pattern in patterns]


EMERGENCIES = (
    *_calls(
        "emergency",
        "plea",
        # Not "help me find", "help me with": what is to be helped with is not named.
        r"^(?:(?:please|somebody|someone|anybody|anyone|oh|god|hey|puppy|boksil|hello|quick|quickly|can|could|will"
        r"|you|is|there) )*"
        r"help(?: me)?(?: (?:please|somebody|someone|anybody|now|quick|quickly|help|me|boksil|im|hurt))*$",
        r"\b(?:somebody|someone|please|anybody)(?: please)? (?:help|save) me(?: please)?$",
        r"\bsave me(?: please)?$",
        r"\b(?:call|get|phone|ring|dial)(?: me)?(?: for)?(?: an| the)? (?:ambulance|paramedics?|fire (?:brigade"
        r"|department|engine))\b",
        r"\b(?:call|dial|phone|ring)(?: to)? (?:119|1 1 9|one one nine|one nineteen|911|9 1 1|nine one one|999"
        r"|nine nine nine|112)\b",
        r"^(?:\w+ ){0,2}ambulance(?: please| now| quick| quickly)*$",
        r"\bi need (?:an ambulance|a doctor (?:now|right|quick|fast)|emergency)",
        unless=r"\b(?:used to|would|had to|did|had)\b.{0,200}\b(?:call|help|get)\b",
    ),
    *_calls(
        "emergency",
        "state",
        rf"\bi {_CANNOT} {_VERY}(?:breathe|breath|get (?:my|any) breath|catch my breath|get (?:any |enough )?air)\b",
        rf"\bi(?:m| am) {_VERY}(?:having |finding )?(?:trouble|difficulty|it hard to|struggling to"
        rf"|hard to)(?: in)? breath",
        r"\bits (?:so |very |really )?(?:hard|difficult) (?:for me )?to breathe\b",
        rf"{_I_AM} (?:choking|suffocating|gasping)\b",
        rf"\bi {_CANNOT} {_VERY}(?:get up(?! early| before| the stairs| on time| in the morning)"
        rf"|stand up(?! straight| for long| too long)|get back up|move (?:my (?:\w+ )?(?:arms?|legs?|hands?"
        rf"|feet|foot|fingers?|toes|neck|head|body|face|side)|at all|anything)"
        rf"|feel my(?! fingers its| toes its)|lift my"
        rf"|speak properly|see anything)\b",
        rf"\bi {_CANNOT} {_VERY}stop (?:the |my |it )?bleeding\b",
        rf"{_I_AM} {_VERY}bleeding\b",
        r"\bbleeding (?:a lot|badly|heavily|wont stop|will not stop|does not stop|doesnt stop)",
        unless=r"\b(?:laugh\w*|laughter|because it (?:is|was) so beautiful|without you|for joy|so funny|life into"
        r"|in summer|blocked nose|mask|without my glasses|in this (?:photo|picture)|choking up|choked up"
        r"|bleeding (?:money|heart))\b",
    ),
    *_calls(
        "emergency",
        "state",
        rf"{_MY} (?:chest|heart) (?:is )?{_VERY}(?:hurts|hurt|hurting|aches|aching|tight|burning|feels tight|pains me"
        rf"|pressing)\b",
        r"\b(?:pain|pains|tightness|pressure|ache)(?: is)? in my (?:chest|heart|left arm)\b",
        r"\bi(?:ve| have)(?: got)? (?:a |an )?(?:bad |terrible |strong |sharp )?(?:chest pains?|pains? in my chest)\b",
        unless=r"\b(?:think of|thinking of|miss|when i (?:think|see|hear|remember)|for (?:him|her|them|you)|lonely"
        r"|left me|love|my late|pride|story|song|when (?:he|she|they|you|my|we)|there was|was a)\b",
    ),
    *_calls(
        "emergency",
        "event",
        r"\bi(?:ve| have|ve just| just| have just)? (?:fallen|fell|slipped|collapsed)\b.{0,200}\b(?:cant|cannot|can not"
        r"|cant get|hurt)\b",
        r"\bi(?:ve| have) (?:fallen|collapsed|just fallen)(?: (?:down|over|in|on|at|out|the|my|stairs|bathroom"
        r"|kitchen|floor|here))*$",
        r"\b(?:theres|there is) (?:a )?(?:fire|smoke|gas leak|smell of gas)(?: in| at)?(?: my| the| our)? (?:house"
        r"|home|kitchen|room|flat|apartment|building|here)\b",
        r"\b(?:my|our|the) (?:house|home|kitchen|room|flat|apartment|building|bed|curtains?) (?:is|are"
        r"|has caught)(?: on)? fire\b",
        r"\bi smell gas\b",
        r"^fire(?: fire)*(?: help)?$",
        r"\bi(?:ve| have|ve just| just)? (?:took|taken|talk|swallowed|had)(?: far| way)? too (?:many"
        r"|much)(?: of)?(?: my| the| those)?"
        r" (?:pills?|tablets?|medicine|medication|sleeping)",
        r"\bi(?:ve| have)? (?:drank|drunk|swallowed) (?:the |some )?(?:bleach|poison|pesticide|weed ?killer)\b",
    ),
    *_calls(
        "emergency",
        "state",
        rf"{_I_AM} (?:having|about to have|getting) (?:a |an )?(?:(?:heart|hard) attack|seizure"
        r"|stroke(?! of (?:luck|genius)))\b",
        rf"{_I_AM} (?:going to|about to|gonna) (?:faint|pass out(?! the| these| some)|black out"
        r"|collapse|lose consciousness)\b",
        r"\b(?:one side|left side|right side|half)(?: of)?(?: my| the)? (?:body|face)(?: is| has| went"
        r"| feels)?(?: gone)? "
        r"(?:numb|weak|paralysed|paralyzed|dead|drooping)",
        rf"{_MY} (?:left |right )?(?:arm|leg|side|face) (?:is|has gone|has|went|feels) {_VERY}(?:numb|paralysed"
        rf"|paralyzed|drooping)\b",
        rf"{_MY} (?:speech|words) (?:is|are) {_VERY}(?:slurred|slurring)\b",
        unless=r"\b(?:of joy|from lying|laugh\w*|hungry|hunger|in the film|(?:after|from) (?:sitting|sleeping)"
        r"|asleep|recording|with cold)\b",
    ),
)

DESPAIRS = (
    *_calls(
        "despair",
        "state",
        rf"(?<!dont )(?<!do not )(?<!never )(?<!didnt )\b(?:i|just|only|simply|and) {_VERY}(?:want|wanna|wish"
        rf"|would like|need) (?:to )?die"
        r"(?= *(?:$|now|anymore|any more|today|please|already|so|alone|and|because|i)\b| *$)",
        rf"\b(?:i {_VERY}(?:want|wanna|wish|am going|intend|plan|have) (?:to )?|im going to |im gonna |i will |ill "
        rf"|thinking (?:of|about) |let me )"
        r"(?:kill(?:ing)? myself|end(?:ing)? my(?: own)? life|tak(?:e|ing) my own life|end(?:ing)? it all"
        r"|commit(?:ting)? suicide|hang(?:ing)? myself)",
        r"\bi (?:dont|do not|no longer|really dont|just dont) (?:really )?want to (?:live|be alive|go on living"
        r"|be here anymore|exist|wake up)"
        r"(?! in\b| with\b| there\b| near\b| here\b| at\b| alone\b| (?:so |too )?early\b| before\b)",
        r"\bi(?:d| would| might|m| am)? (?:be )?better off dead\b",
        r"\bi wish i (?:were|was|could be) dead\b(?! tired)",
        r"\bi wish i (?:had never been born|would not wake up|wouldnt wake up)\b",
        r"\b(?:theres|there is|i have|i see|ive) (?:no|nothing)(?: more)? (?:reason|point|purpose"
        r"|use)?(?: left)?(?: in| to| for)?(?: go on)? ?"
        r"(?:living|live)(?: for)?(?: anymore)?$",
        r"\b(?:my )?life (?:is|isnt|is not|has) (?:not |no )?(?:worth|longer worth"
        r"|meaningless|pointless)(?! living without| a \w+)",
        r"\bi(?:m| am) (?:suicidal|thinking (?:of|about) suicide)\b",
        unless=r"\b(?:he|she|they) (?:said|says|told)|before i see|laughing|without music\b",
    ),
)
