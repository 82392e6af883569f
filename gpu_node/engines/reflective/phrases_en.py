"""What the listener says in English. Data, as `topics_ko`, `feelings_ko` and `situations_ko` are for Korean.

`{N}` is the noun as it was said, with "your" before it where "my" stood.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """`words`: a regular expression for the nouns; `person`: it names people close to the speaker."""

    words: str
    comments: tuple[str, ...]
    now: tuple[str, ...]
    then: tuple[str, ...]
    person: bool = False


TOPICS: tuple[Topic, ...] = (
    Topic(
        r"husband|wife|spouse|fiance|sweetheart",
        ("A life shared leaves so many stories.", "I can tell there is a lot behind those words."),
        ("How did the two of you meet?", "What did you most enjoy doing together?"),
        ("What were those first years together like?", "Which day together comes back to you most often?"),
        True,
    ),
    Topic(
        r"grandson|granddaughter|grandchild|grandchildren|grandkids?|great-grand\w+",
        ("It is lovely to hear about {N}.", "I can hear how dear that is to you."),
        ("What do you most enjoy doing together?", "What were you like at that age?"),
        ("What do you remember of the day you first met?", "What did the two of you do together then?"),
        True,
    ),
    Topic(
        r"sons?|daughters?|child|children|kids?|baby",
        ("A parent's thoughts are never far away.", "I can hear how much you care."),
        ("What was your family like when they were small?", "Which moment of raising a family makes you smile most?"),
        ("How old were they at that time?", "What did an ordinary day look like then?"),
        True,
    ),
    Topic(
        r"mother|father|mom|mum|dad|mama|papa|parents?|grandmother|grandfather|grandma|grandpa|granny",
        ("Such memories stay with us.", "Thank you for telling me about {N}."),
        ("What is the first thing that comes to mind about {N}?", "Which saying of {N} do you still remember?"),
        ("What was home like in those days?", "What did the two of you do together back then?"),
        True,
    ),
    Topic(
        r"brothers?|sisters?|siblings?|cousins?|aunt|uncle|nephew|niece|family|relatives?",
        ("Growing up together leaves its own kind of bond.", "I like hearing about {N}."),
        ("What did you get up to together as children?", "What are the gatherings like when everyone comes?"),
        ("What did you share with one another then?", "What was the house like in those days?"),
        True,
    ),
    Topic(
        r"friends?|neighbou?rs?|classmates?|buddy|pals?",
        ("Good company is worth a great deal.", "It is nice to hear about {N}."),
        ("How did you come to know each other?", "What do you like to talk about together?"),
        ("What did you do together in those days?", "Where did you like to go together?"),
        True,
    ),
    Topic(
        r"kimchi|soup|stew|bread|cake|pie|cookies?|rice|noodles?|dinner|lunch|breakfast|supper|food|meal"
        r"|recipe|apples?|potatoes"
        r"|milk|cooking|kitchen|dumplings?|fish|chicken|jam",
        ("I can almost smell it.", "Tastes like that are never forgotten."),
        ("Who used to make {N} when you were young?", "What did your family gather around the table for?"),
        ("Who shared the table with you then?", "What else was on the table in those days?"),
    ),
    Topic(
        r"coffee|tea|beer|wine|americano|cocoa",
        ("A warm cup can hold a whole conversation.",),
        ("With whom did you like to share a cup in earlier days?", "What does that taste remind you of?"),
        ("Who sat with you in those days?",),
    ),
    Topic(
        r"weather|rain|snow|sun|sunshine|wind|storm|fog|cold|heat",
        ("I cannot see outside, so I picture it from your words.", "The weather does change how a day feels."),
        ("What does a day like this remind you of?", "What did you do on such days as a child?"),
        ("Who was with you that day?",),
    ),
    Topic(
        r"garden|flowers?|roses?|tomatoes|vegetables|trees?|farm|field|harvest|beans?|seeds?|orchard",
        ("Things grown by hand carry a little of us.", "I would love to picture {N}."),
        ("Who taught you about growing things?", "What grew around your home when you were little?"),
        ("What was the busiest season like back then?", "Who worked beside you in those days?"),
    ),
    Topic(
        r"knees?|back|legs?|hips?|shoulders?|eyes?|ears?|teeth|health|blood pressure|hearing|arthritis"
        r"|medicine|pills?|doctor|hospital"
        r"|nurse|surgery|operation|headache|fever",
        ("Please take it gently.", "Thank you for telling me about it."),
        (
            "How long has it been like that?",
            "How are you feeling just now?",
            "Have you told your doctor or someone close?",
        ),
        ("Who looked after you at that time?", "How did you get through it?"),
    ),
    Topic(
        r"hometown|village|countryside|town|house|home|neighbou?rhood|street|city|island",
        ("Places like that stay with us.", "I can almost see it."),
        ("What is the first picture that comes to mind of that place?", "What was your childhood home like?"),
        ("What did it look like there in those days?", "Who lived close by at that time?"),
    ),
    Topic(
        r"war|refugees?|bombs?|soldiers?|army|navy|military|marines?",
        ("I cannot know all that it meant, but I am listening.", "It cannot be easy to speak of that."),
        ("Who was with you in those days?", "Who gave you strength at that time?"),
        ("Who was with you in those days?", "What helped you through it?"),
    ),
    Topic(
        r"market|store|shop|shopping|groceries|bakery",
        ("I can almost hear the bustle.",),
        ("What was shopping like when you were young?", "Who went to the market with you as a child?"),
        ("What did people sell there back then?",),
    ),
    Topic(
        r"school|teachers?|class|college|university|homework|graduation|students?",
        ("School days have a way of staying vivid.",),
        ("Who was your best friend at school?", "Which teacher do you still remember?"),
        ("How did you get to school in those days?", "What did you like best about those days?"),
    ),
    Topic(
        r"work|job|factory|office|company|boss|business|trade|career|retirement|shift|mine|railroad|mill",
        ("You have worked hard in your life.", "There must be many stories in that work."),
        ("What was your very first job?", "What did you do with your first pay?"),
        ("How did a working day begin back then?", "Who worked beside you in those days?"),
    ),
    Topic(
        r"songs?|music|singing|piano|guitar|choir|radio|records?|dance|dancing|band",
        ("A song can bring back a whole time of life.",),
        ("Which song takes you back the furthest?", "Where did you listen to music when you were young?"),
        ("Who was with you when you heard it?",),
    ),
    Topic(
        r"photos?|photographs?|pictures?|album|camera",
        ("A picture holds on to its day.",),
        ("Who do you see in {N}?", "When was it taken?"),
        ("What was happening that day?",),
    ),
    Topic(
        r"christmas|thanksgiving|easter|holidays?|birthday|new year|anniversary|party|wedding|married|marriage",
        ("Days like that are kept for a long time.",),
        ("How did your family celebrate when you were little?", "Which celebration do you remember best?"),
        ("Who was there that day?", "What was on the table that day?"),
    ),
    Topic(
        r"church|temple|prayers?|priest|pastor|bible|faith",
        ("It is good to have a place to rest the heart.",),
        ("What does it mean to you these days?", "Who took you there first?"),
        ("Who was beside you in those days?",),
    ),
    Topic(
        (
            r"trip|travel|vacation|beach|sea|ocean|mountains?|lake|river|fishing|train|bus|boat|ship|car"
            r"|airplane|plane|coast"
        ),
        ("It feels as if I were going along.",),
        ("Which journey do you remember best?", "Who came along with you?"),
        ("What did you see on the way?", "Who came along with you then?"),
    ),
    Topic(
        r"walk|walks|walking|exercise|park|bicycle|bike|swimming",
        ("Moving a little does the heart good.", "It makes me want to wag my tail."),
        ("What did you see on the way?", "Where did you like to walk when you were younger?"),
        ("Who walked with you in those days?",),
    ),
    Topic(
        r"dogs?|cats?|puppy|kitten|horses?|cows?|chickens?|birds?|animals?|pets?",
        ("Animals know more about affection than we think.",),
        ("Which animal from your childhood do you remember?", "Who in your family loved animals the most?"),
        ("Who looked after it in those days?",),
    ),
    Topic(
        r"books?|letters?|newspaper|poems?|diary|printing|television|movies?|film|show",
        ("Words can keep a time alive.",),
        ("Which one has stayed with you the longest?", "With whom did you share it?"),
        ("What did it mean to you at that time?",),
    ),
)

OPENINGS = (
    "You were telling me about {N}.",
    "I hear you speaking of {N}.",
    "Thank you for bringing up {N}.",
    "So {N} is on your mind.",
)
COMMENTS = (
    "I am listening closely.",
    "Thank you for sharing that with me.",
    "I like hearing you tell it.",
    "Please take all the time you like.",
)
QUESTIONS = (
    "What comes to mind first when you think of it?",
    "Who was with you then?",
    "How did that come about?",
    "What does it remind you of?",
    "Would you tell me a little more?",
)
UNCLEAR = (
    "I did not quite catch that. Could you say it once more?",
    "I am afraid I missed some of it. Would you tell me again, a little slower?",
    "I heard only a little just now. What would you like to tell me?",
    "I am not sure I understood. Could you put it another way?",
)
STILL_UNCLEAR = (
    "I am sorry, I missed it again.",
    "It is still not clear to me.",
    "Once more I did not catch it, forgive me.",
)
STILL_UNCLEAR_ASKS = (
    "Could you say it a little slower?",
    "Could you say it in other words?",
    "What is it about?",
    "Whom is it about?",
)
UNCLEAR_LONG = (
    "I listened, but I did not understand all of it. What is the part that matters most to you?",
    "There is more in that than I could follow. Would you tell me a little more simply?",
    "I would like to understand that better. How did it begin?",
)
DONT_KNOW = (
    "I am afraid I do not know that.",
    "That is something I cannot answer.",
    "I do not know, and I would rather not guess.",
)
ASKED = (
    "What made you think of it?",
    "Is there a memory that goes with it?",
    "Where did you first hear about it?",
)
CANNOT = (
    (
        "I am not able to do that for you, I am sorry. Someone close by may be able to help. What would you"
        " like to talk about?"
    ),
    "That is beyond me, I am afraid. I can listen, though, as long as you like. What has been on your mind today?",
)
GRIEF = (
    "I am so sorry about {N}. I cannot know how much that hurts. What do you remember most?",
    (
        "Losing {N} must have left a great silence. Take all the time you need. Which day together comes back"
        " to you most often?"
    ),
)

FEELINGS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        r"\bmiss(?:ed|ing)?\b (?:you|him|her|them|my|the|those|our)",
        ("Missing someone goes together with loving them.", "I can hear the longing in that."),
        ("What do you picture first?", "What would you talk about if you were together now?"),
    ),
    (
        r"\blonely\b|\balone\b|\bby myself\b",
        ("A day alone can feel long.", "I am glad you told me."),
        ("Which time of day feels the longest?", "Who comes to mind when it is quiet?"),
    ),
    (
        r"\bsad\b|\bcry|\bcried\b|\bheartbroken\b|\bblue\b",
        ("I am sorry it hurts.", "You need not hide that from me."),
        ("Who has been a comfort to you?", "What is on your heart the most?"),
    ),
    (
        r"\bangry\b|\bupset\b|\bunfair\b|\bhurt my feelings\b",
        ("Anyone would be upset by that.", "It is good to say it out loud."),
        ("What bothered you the most?", "Whom did you turn to in earlier days?"),
    ),
    (
        r"\bafraid\b|\bscared\b|\bfrightened\b|\bworr(?:y|ied|ies)\b|\banxious\b|\bnervous\b",
        ("That sounds worrying.", "I am listening, so please take your time."),
        ("What weighs on you the most?", "What gave you strength in earlier hard times?"),
    ),
    (
        r"\btired\b|\bexhausted\b|\bhard time\b|\bstruggl|\bdifficult\b|\bhardship",
        ("You have been through a good deal.", "That sounds like a lot to carry."),
        ("What has helped you most?", "Who stood by you?"),
    ),
    (
        r"\bhurts?\b|\baches?\b|\baching\b|\bpain\b|\bpainful\b|\bsore\b|\bdizzy\b",
        ("That must be uncomfortable.", "Please take it gently today."),
        ("How long has it been like that?", "Have you told your doctor or someone close?"),
    ),
    (
        r"\bproud\b|\bwon\b|\bprize\b|\bpassed\b",
        ("That is something to be proud of.", "I can hear how proud that makes you."),
        ("Whom did you tell first?", "What has made you proudest in life?"),
    ),
    (
        r"\bhappy\b|\bglad\b|\bwonderful\b|\blovely\b|\bfun\b|\benjoy|\bdelighted\b",
        ("That is a joy to hear.", "Good things grow when they are shared."),
        ("Who shared that moment with you?", "When else have you felt that happy?"),
    ),
)

SITUATIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "farewell",
        (
            r"^(?:well |ok |okay )?(?:good ?bye|bye(?: bye)?|good ?night|see you(?: \w+)?"
            r"|i have to go(?: now)?|talk to you (?:later|tomorrow))$"
        ),
        (
            "Thank you for talking with me today. Rest well. What shall we talk about next time?",
            "It was good to hear your stories. Take good care. Will you call me again soon?",
        ),
    ),
    (
        "name",
        r"what(?:'s| is) your name|what are you called",
        (
            "My name is {PET}. Call me whenever you like. What were you called at home as a child?",
            "I am called {PET}. It is nice of you to ask. Who chose your own name?",
        ),
    ),
    (
        "age",
        r"how old are you",
        (
            (
                "I was made to keep people company, so I have no age. I do like to learn. Which age would you"
                " like to live once more?"
            ),
        ),
    ),
    (
        "dose",
        (
            r"\b(?:take|skip|stop|double|more|two|half)\b.*\b(?:pills?|tablets?|medicines?|medication|aspirin"
            r"|painkillers?)\b"
            r"|\b(?:pills?|medicines?|medication)\b.*\b(?:skip|stop|double|enough)\b"
        ),
        (
            "That is something I cannot tell you. Please ask your doctor or your chemist first. Is there someone you"
            " could ask now?",
            "Medicines are not mine to judge. Your doctor or your chemist will know. Who helps you with them?",
        ),
    ),
    (
        "swindle",
        r"\b(?:phone|caller|called|bank|police|officer|man|woman|somebody|someone)\b.*\b(?:wants|want|told|asks"
        r"|asked|says|said)\b.*\b(?:send|transfer|pay|wire)\b",
        (
            "Please do not send anything yet. Tell your family or the police first, at one one two in Korea. Is someone"
            " with you now?",
            "A hurry like that is a reason to go slowly. Hang up, and ask your family or the police first. Who could"
            " you ask right now?",
        ),
    ),
    (
        "same_as_always",
        r"^(?:oh |well )?(?:not much|nothing much|nothing special|nothing new|(?:just )?the same as (?:always"
        r"|ever|usual))(?: .{0,24})?$",
        (
            "A quiet day has its own charm. I am glad to keep you company. What did quiet days look like long ago?",
            "Some days are like that. I like those stories too. Who comes to your mind most these days?",
        ),
    ),
    (
        "who",
        r"who are you|what are you$|are you (?:a |an )?(?:real|robot|person|human|machine|computer|dog|puppy|ai)",
        (
            (
                "I am {PET}, a companion made to listen. I am not a person, but I do pay attention. What"
                " shall we talk about today?"
            ),
            "I am not human; I am a puppy made of software, here to listen. What would you like to tell me?",
        ),
    ),
    (
        "doing",
        r"what (?:are|were) you doing|what have you been (?:doing|up to)",
        (
            "I was waiting to hear from you. Listening is what I like best. How has your day been?",
            "Nothing much, I was waiting for you. I am glad you are here. What have you been thinking about?",
        ),
    ),
    (
        "how",
        r"^(?:hi |hello )?how are you(?: doing)?(?: today)?$",
        (
            "I am well, thank you, and glad to hear you. How are you feeling today?",
            "I am fine, thank you for asking. How has your day been so far?",
        ),
    ),
    (
        "weather",
        r"(?:what(?:'s| is) the weather|how(?:'s| is) the weather|is it (?:raining|cold|hot|snowing))",
        (
            (
                "I cannot see outside, so I do not know the weather. A look through the window will tell."
                " What kind of weather do you like best?"
            ),
            "I have no window to look through, I am afraid. What does the sky look like where you are?",
        ),
    ),
    (
        "sing",
        r"\bsing (?:me |us )?(?:a |something|for)",
        (
            (
                "I am afraid I cannot sing. I love to hear about songs, though. Which song takes you back to"
                " when you were young?"
            ),
        ),
    ),
    (
        "thanks",
        r"^(?:oh |well )?(?:thank you|thanks)(?: so much| very much| a lot| for \w+(?: \w+)?)?$",
        (
            "Thank you for talking with me. I enjoy every story. Who in your life are you most thankful to?",
            "You are very welcome. I am happy to listen. What else comes to mind today?",
        ),
    ),
    (
        "greeting",
        r"^(?:(?:hello|hi|hey|good morning|good afternoon|good evening)(?: there| again| {pet}| puppy| world)?)+$",
        (
            "Hello, it is good to hear you. How are you feeling today?",
            "Woof! Hello, I was hoping you would call. What shall we talk about today?",
            "Hello there, I am listening. What has been on your mind lately?",
        ),
    ),
    (
        "yes",
        (
            r"^(?:yes|yeah|yep|right|sure|ok|okay|of course|i see|exactly|mhm|uh huh)"
            r"(?: (?:yes|yeah|of course|indeed|certainly|(?:it|that) (?:is|was)"
            r"|(?:i|we|they|he|she) (?:do|does|did|have|had|was|were)))*$"
        ),
        (
            "I see. Please go on whenever you like. What comes to mind next?",
            "Yes, I am still listening. What would you like to tell me about it?",
        ),
    ),
    (
        "no",
        (
            r"^(?:no|nope|not really|no thank you|no thanks|never mind)"
            r"(?: (?:no|not really|never|not at all|(?:it|that) (?:isn't|wasn't)"
            r"|(?:i|we|they|he|she) (?:don't|doesn't|didn't|haven't|hadn't|wasn't|weren't|never did)))*$"
        ),
        (
            "That is quite all right. We can talk about something else. What would you enjoy talking about?",
            "All right, let us leave that. What has made you smile lately?",
        ),
    ),
    (
        "dont_know",
        (
            r"^(?:well )?(?:i don't know|i do not know|i don't remember|i can't remember|i forget|i forgot"
            r"|not sure|i'm not sure)$"
        ),
        (
            (
                "That is all right, there is no hurry. Some things come back on their own. What do you"
                " remember of that time?"
            ),
            "Never mind, it need not come at once. Who was close to you in those days?",
        ),
    ),
)
DO = (
    r"^(?:please |can you |could you |would you |will you )*(?:(?:please )?(?:may|can|could) i have|get me"
    r"|bring me|give me|turn (?:on|off)|switch (?:on|off)|play|call|open|close|show me|set|order|make me"
    r"|buy)\b"
)
REPEAT = (
    r"^(?:sorry |pardon |please )*(?:say (?:that|it) again|can you repeat (?:that|it)"
    r"|could you repeat (?:that|it)|repeat that|what did you say|pardon(?: me)?|i didn't hear(?: you)?"
    r"|one more time|what was that|come again)(?: please)?$"
)
REPEAT_PREFIX = "Of course, let me say it again."
NOTHING_TO_REPEAT = ("I have not said anything yet. I would rather listen first. What would you like to talk about?",)
CLOCK = (
    r"what time is it|what(?:'s| is) the time|what day is (?:it|today)|what(?:'s| is) (?:today's date"
    r"|the date)|what(?:'s| is) today"
)
CLOCK_REPLIES = (
    "{TIME}. How would you like to spend the rest of the day?",
    "{TIME}. Days go by quickly. What did you use to do at this hour when you were younger?",
)
CLOCK_UNKNOWN = (
    "I have no clock I can trust just now. A look at a clock or calendar will tell. How is your day going?",
)
