"""The vocabulary of the problem generator: people, things, containers, places, verbs.

Hand-written lists give the ordinary words weight; `nouns.txt` adds thousands of rarer count nouns of the
permissively licensed texts, so that nothing can be memorised.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

FEMALE = """Mary Anna Emma Olivia Ava Sophia Mia Amelia Ella Lily Grace Chloe Zoe Nora Lucy Alice Ruby Ivy Rosa Maria
Carmen Lucia Elena Sofia Isabel Ana Clara Julia Laura Marta Paula Eva Irene Nina Vera Olga Katya Natasha Svetlana Irina
Priya Anjali Asha Meera Kavita Lakshmi Sunita Divya Pooja Neha Fatima Aisha Layla Zainab Mariam Noor Yasmin Salma Hana
Yuki Sakura Aiko Emi Mei Lin Xiu Ying Hui Li Jing Min-ji Soo Thandiwe Amara Ngozi Zola Nala Abena Efua Wanjiru Akinyi
Sarah Rachel Rebecca Hannah Leah Abigail Esther Ruth Naomi Miriam Jessica Jennifer Ashley Amanda Melissa Nicole Stephanie
Heather Elizabeth Megan Lauren Kayla Brianna Vanessa Danielle Michelle Kimberly Angela Tiffany Crystal Amy Kelly Erin Katie
Susan Linda Barbara Patricia Karen Nancy Lisa Betty Margaret Sandra Dorothy Helen Sharon Donna Carol Janet Diane Joyce
Frances Gloria Doris Evelyn Jean Cheryl Mildred Joan Judith Rose Janice Judy Beverly Denise Marilyn Theresa Jane Lori Tammy
Bonnie Wendy Holly Dana Tina Robin Peggy Edna Ellen Maggie Molly Polly Sally Daisy Hazel Violet Iris Pearl Opal Jade Penny
Bridget Fiona Maeve Siobhan Greta Ingrid Astrid Freya Sigrid Heidi Petra Helga Paige Faith Hope Joy April June Summer""".split()

MALE = """Tom John James Robert Michael William David Richard Joseph Thomas Charles Daniel Matthew Anthony Mark Paul
Steven Andrew Kenneth George Joshua Kevin Brian Edward Ronald Timothy Jason Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan
Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Frank Alexander Raymond Patrick Jack Dennis Jerry Tyler Aaron
Jose Adam Henry Nathan Douglas Zachary Peter Kyle Walter Ethan Jeremy Harold Keith Christian Roger Noah Gerald Carl Terry
Sean Austin Arthur Lawrence Jesse Dylan Bryan Joe Jordan Billy Bruce Albert Willie Gabriel Logan Alan Juan Wayne Roy Ralph
Randy Eugene Vincent Russell Elijah Louis Bobby Philip Johnny Diego Luis Carlos Miguel Pedro Pablo Javier Rafael Mateo
Andres Fernando Ivan Dmitri Sergei Boris Yuri Oleg Anton Viktor Raj Arjun Rohan Amit Vikram Sanjay Ravi Kiran Dev Anil
Omar Ali Hassan Ahmed Yusuf Ibrahim Karim Tariq Bilal Samir Hiro Kenji Takashi Akira Wei Jun Feng Bo Ming Chen Jin Kwame
Kofi Chidi Emeka Sipho Thabo Jabari Tunde Otieno Kamau Max Leo Oscar Felix Hugo Otto Karl Hans Fritz Lars Erik Sven Nils
Liam Finn Connor Declan Angus Ewan Rhys Owen Dylan Ian Neil Colin Simon Martin Stuart Trevor Nigel Clive Toby Ned Fred Ted
Ben Sam Dan Tim Jim Bill Bob Rob Nick Mike Dave Steve Greg Jeff Ken Ron Don Ray Lee Dean Cole Chad Brett Todd Craig Derek""".split()

ROLES_F = "the teacher|the girl|the nurse|the queen|the cook|Mrs. Brown|Mrs. Hill|Ms. Carter|her mother|his sister|the lady|the librarian|grandmother|my aunt|the waitress|Miss Wells".split("|")
ROLES_M = "the farmer|the baker|the boy|the shopkeeper|Mr. Smith|Mr. Jones|Mr. Lopez|his father|her brother|the king|the fisherman|the gardener|the coach|grandfather|my uncle|the painter|the man|the tailor".split("|")

THINGS = """apple orange banana pear peach plum cherry grape lemon mango melon strawberry blueberry tomato potato carrot onion
pepper cucumber cookie cake pie cupcake muffin brownie donut candy lollipop chocolate sandwich pizza burger egg pancake bun
roll cracker pretzel biscuit waffle taco hotdog book notebook magazine comic newspaper letter postcard stamp card sticker
poster picture photo painting drawing map pencil pen crayon marker brush eraser ruler folder envelope paperclip marble ball
balloon toy doll kite puzzle block robot car truck bus train bike boat plane wagon scooter coin penny dime nickel dollar
ticket token button bead ribbon ring necklace bracelet shell stone rock pebble feather leaf flower rose tulip daisy lily
sunflower tree bush seed plant acorn pinecone stick log branch dog cat kitten puppy rabbit hamster mouse bird duck chicken
goose turkey pigeon parrot fish goldfish shark whale dolphin turtle frog snake lizard spider bee ant butterfly ladybug
horse pony cow pig sheep goat lamb deer fox bear lion tiger monkey elephant giraffe zebra penguin seal owl shirt dress hat
cap coat jacket sock shoe boot glove scarf sweater skirt belt tie uniform towel blanket pillow cup mug glass plate bowl
spoon fork knife pot pan jug bottle can jar basket bucket lamp candle clock mirror chair table desk bench shelf rug curtain
key lock nail screw bolt hammer brick tile board rope wire pipe battery bulb phone computer camera game movie song disc tape
ticket badge medal trophy flag tent chair student child boy girl teacher player friend guest visitor worker soldier sailor
farmer driver passenger customer dancer singer swimmer runner page chapter poem story problem question point goal lap mile
game lesson visit trip quilt patch photograph rocket costume helmet lantern ladder umbrella suitcase backpack wallet purse
bag box crate sack packet parcel present gift bouquet wreath ornament snowball snowman sandcastle origami sketch sculpture
slice piece bar stick bite seat room window door fence gate tower bridge house store stall booth roller coaster peanut
walnut almond raisin noodle dumpling olive pickle radish turnip cabbage pumpkin squash mushroom herb fig date coconut
pineapple kiwi apricot videogame action-figure paper-clip jigsaw domino dice yo-yo skateboard surfboard guitar drum violin""".split()

ADJECTIVES = """red blue green yellow black white brown pink purple orange gray silver golden big small large little tiny
old new round square long short striped spotted plain wooden plastic metal glass paper clean dirty broken sweet sour salty
spicy fresh ripe rotten dry wet warm cold soft hard heavy light thick thin shiny dull rare common cheap fancy pretty local
foreign wild tame young fast slow empty full sharp smooth rough chocolate vanilla strawberry lemon cherry peanut gold
toy baby summer winter holiday school garden Sunday birthday racing science history math""".split()

MATERIALS = "water milk juice oil paint sand soil flour sugar rice salt coffee tea honey syrup gasoline soup lemonade cream wheat corn coal gravel cement wool cotton string ribbon rope wire cloth paper wood hay grain butter cheese meat".split()
MEASURES = "page piece box bag bottle cup can pack jar slice bowl stack pile bunch pair set bucket roll loaf bar case".split()
CONTENTS = "homework|reading homework|math homework|science homework|candy|cake|pizza|paper|bread|soda|water|juice|rice|flour|sugar|popcorn|clay|ribbon|wood|nails|crayons|pencils|chips|cookies|toys|clothes|books|notes|music|apple juice|orange soda|white chalk|sea shells|chocolate|cheese|soap|string|cloth|seeds|flowers|old coins|baseball cards".split("|")
CONTAINERS = "box bag basket jar crate carton packet pack sack bin bucket tray drawer case chest barrel shelf tin tub bowl cage tank album envelope folder row pile stack group team table truck wagon van bus room class page pot plate".split()
PLACES = "the park|the farm|the zoo|the school|the library|the store|the garden|the market|the beach|the kitchen|the classroom|the museum|the yard|the village|the town|the forest|the lake|the house|the barn|the shop|the parking lot|the theater|the hotel|the hospital|the office|the harbor|the station|the field|the camp|the pool|the gym|the bakery|the restaurant|the playground".split("|")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
TIMES = "in the morning|yesterday|last week|last month|last year|on the weekend|after school|before lunch|after dinner|in the afternoon|at night|this week|today|last summer|during the holidays|on the first day|later|that evening".split("|")

# past, base
GAIN = [tuple(x.split(",")) for x in "bought,buy|found,find|got,get|received,receive|picked up,pick up|collected,collect|made,make|won,win|earned,earn|gathered,gather|added,add|was given,get|brought home,bring home|ordered,order|borrowed,borrow|took,take|discovered,discover|chose,choose".split("|")]
LOSE = [tuple(x.split(",")) for x in "gave away,give away|lost,lose|sold,sell|used,use|broke,break|threw away,throw away|dropped,drop|donated,donate|returned,return|traded away,trade away|put aside,put aside|destroyed,destroy|misplaced,misplace|sent away,send away|used up,use up|gave out,give out|mailed,mail|threw out,throw out".split("|")]
EAT = [("ate", "eat"), ("finished", "finish"), ("shared out", "share out"), ("swallowed", "swallow")]
DO = [tuple(x.split(",")) for x in "picked,pick|bought,buy|made,make|sold,sell|found,find|collected,collect|read,read|drew,draw|painted,paint|counted,count|washed,wash|carried,carry|saw,see|caught,catch|planted,plant|cut,cut|packed,pack|wrote,write|won,win|ate,eat|baked,bake|built,build|used,use|brought,bring|ordered,order|fixed,fix|delivered,deliver|watched,watch|gathered,gather|cleaned,clean|stacked,stack|loaded,load|sewed,sew|folded,fold|moved,move|threw,throw|took,take|dug up,dig up".split("|")]
EXERCISE = [("push-ups", "did", "do"), ("crunches", "did", "do"), ("sit-ups", "did", "do"), ("laps", "swam", "swim"), ("miles", "ran", "run"), ("miles", "walked", "walk"), ("jumps", "made", "make"), ("points", "scored", "score"), ("goals", "scored", "score"), ("pages", "read", "read"), ("hours", "worked", "work"), ("hours", "slept", "sleep"), ("kilometers", "rode", "ride"), ("minutes", "played", "play"), ("games", "won", "win"), ("songs", "sang", "sing"), ("words", "typed", "type")]
LEAVE = [("left", "leave"), ("went home", "go home"), ("flew away", "fly away"), ("walked away", "walk away"), ("got off", "get off"), ("ran away", "run away"), ("moved away", "move away"), ("quit", "quit")]
COME = [("came", "come"), ("joined", "join"), ("arrived", "arrive"), ("got on", "get on"), ("came in", "come in"), ("showed up", "show up"), ("flew in", "fly in"), ("moved in", "move in")]
# Only the unit words that the reading texts use often; rarer ones are left to what the texts happen to say of them.
UNITS = [("dozen", "dozens", 12), ("pair", "pairs", 2), ("week", "weeks", 7), ("hour", "hours", 60), ("year", "years", 12), ("foot", "feet", 12), ("day", "days", 24), ("minute", "minutes", 60), ("dollar", "dollars", 100), ("couple", "couples", 2)]
UNIT_PARTS = {"week": "days", "hour": "minutes", "year": "months", "foot": "inches", "day": "hours", "minute": "seconds", "dollar": "cents"}

NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}

_IRREGULAR = {"child": "children", "mouse": "mice", "goose": "geese", "knife": "knives", "leaf": "leaves", "shelf": "shelves", "fish": "fish", "sheep": "sheep", "deer": "deer", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth", "person": "people", "loaf": "loaves", "half": "halves", "dice": "dice", "candy": "candies"}


def plural(noun: str) -> str:
    """The plural of a singular count noun, by rule and a short table."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun in {"tomato", "potato", "hero", "mango", "echo"}:
        return noun + "es"
    return noun + "s"


def spell(number: int) -> str:
    """A whole number below 100 in words ("forty-two"); larger ones in digits."""
    if number <= 20:
        return NUMBER_WORDS[number]
    if number < 100:
        tens, ones = number // 10 * 10, number % 10
        return TENS[tens] + (f"-{NUMBER_WORDS[ones]}" if ones else "")
    return str(number)


@cache
def rare_nouns() -> tuple[str, ...]:
    """Thousands of further count nouns (singular), one a line in `nouns.txt`."""
    text = resources.files("promptfix.mini.corpus").joinpath("nouns.txt").read_text("utf-8")
    return tuple(text.split())
