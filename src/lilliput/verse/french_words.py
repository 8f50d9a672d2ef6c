"""French words whose sound does not follow from their spelling by the rules of `french_sounds`.

Sounds are written as in `french_sounds`. Two sounds, separated by "/", belong to two ways to say a word, or to two
words. A final "=" marks a feminine ending: the last written syllable is mute.
"""

import re

from lilliput.verse.spelling import pairs, words

SOUNDS = pairs(
    """
    abbaye:abei= abdomen:abdomɛn achille:aʃil= agnus:aɲys ai:e/ɛ aiguille:egɥij= aiguë:egy= alger:alʒɛʁ/alʒe
    ambiguë:ãbigy= amen:amɛn aout:u août:u aquarium:akwaʁjom archange:aʁkãʒ= arguë:aʁgy=
    arsenic:aʁsəni/aʁsənik as:a/as aspect:aspɛ/aspɛk aspects:aspɛ asthme:asm= atlas:atlas aulx:o
    automne:oton= aïe:aj= baptême:batɛm= baril:baʁi bengale:bẽgal= boeufs:bø broc:bʁo bruxelles:bʁysɛl=
    but:by/byt caoutchouc:kautʃu caïn:kaẽ ce:sə cerf:sɛʁ/sɛʁf cerfs:sɛʁ ces:se/sɛ chaos:kao chenil:ʃəni
    cheville:ʃəvij= choeur:køʁ christ:kʁist/kʁi ciguë:sigy= clef:kle clerc:klɛʁ compte:kõt= compter:kõte
    condamne:kodan= condamner:kodane coutil:kuti croc:kʁo cul:ky damne:dan= damné:dane damnée:dane= de:də
    des:de/dɛ distinct:distẽ dix:di/dis dolmens:dolmɛn dompte:dõt= dompter:dõte dompté:dõte donc:dõk/dõ
    echo:eko en:ã enivre:ãnivʁ= enivrer:ãnivʁe enivré:ãnivʁe enivrée:ãnivʁe= escroc:ɛskʁo est:ɛ/ɛst
    est-ce:ɛs= estomac:ɛstoma et:e eu:y eue:y= eurent:yʁ= eusse:ys= eussent:ys= eut:y exact:ɛgzakt/ɛgza
    excellent:ɛksɛlã/ɛksɛl= exeat:ɛgzeat exempt:ɛgzã exiguë:ɛgzigy= eût:y fait:fɛ/fɛt faon:fã faulx:fo
    femme:fam= femmelette:faməlɛt= fenil:fəni fils:fis/fi/fil fournil:fuʁni fusil:fyzi gageure:gaʒyʁ=
    gai:ge/gɛ gars:ga gaz:gaz/ga gent:ʒã gentil:ʒãti gille:ʒil= gilles:ʒil granit:gʁanit/gʁani gril:gʁi
    grésil:gʁezi huit:ɥi/ɥit hymen:imɛn/imẽ hélas:elas/ela indomptable:ẽdõtabl= indompté:ẽdõte
    indomptée:ẽdõte= instinct:ẽstẽ israël:israɛl jadis:ʒadis/ʒadi je:ʒə joaillière:ʒoajɛʁ= joug:ʒu/ʒug
    jésus-christ:kʁi/kʁist lacs:lak/la las:la le:lə legs:lɛ les:le/lɛ lichen:likɛn lille:lil= lis:lis/li
    luth:lyt/ly luths:ly lys:lis/li marc:maʁ mars:maʁs maïs:mais me:mə mes:me/mɛ messieurs:mesjø
    mille:mil= moelle:mwal= moelleux:mwalø monsieur:məsjø ne:nə nerf:nɛʁ/nɛʁf nerfs:nɛʁ nombril:nõbʁi
    oasis:oazis oeufs:ø orchestre:oʁkɛstʁ= orgueil:oʁgøj os:o/os ouest:wɛst ours:uʁs/uʁ outil:uti paon:pã
    paonne:pan= parfum:paʁfẽ pays:pei paysage:peizaʒ= paysan:peizã pentecôte:pãtkot= persil:pɛʁsi porc:poʁ
    prompte:pʁõt= que:kə radius:ʁadjys relent:ʁəlã respect:ʁɛspɛ/ʁɛspɛkt respects:ʁɛspɛ schiller:ʃilɛʁ
    sculpte:skylt= sculpté:skylte se:sə second:səgõ seconde:səgõd= sept:sɛt ses:se/sɛ shakespeare:ʃɛkspiʁ=
    shakspeare:ʃɛkspiʁ= shakspere:ʃɛkspiʁ= six:si/sis soient:swa/swa= soit:swa/swat soixante:swasãt=
    solennel:solanɛl solennelle:solanɛl= soul:su sourcil:suʁsi soûl:su spleen:splin succinct:syksẽ taon:tã
    te:tə tes:te/tɛ tranquille:tʁãkil= vasistas:vazistas village:vilaʒ= wagner:vagnɛʁ yacht:jat zinc:zẽk
    zénit:zenit zénith:zenit/zeni écho:eko éden:edɛn/edẽ équateur:ekwatøʁ
    """
)
"""The sounds of single words."""

SOUNDED_ENT = words(
    """
    absent abstinent accent accident adhérent adjacent adolescent affluent agent ambivalent antécédent apparent
    ardent argent arpent ascendent astringent auvent avent cent chiendent client clément coefficient cohérent
    compétent concurrent confident confluent conscient consent conséquent content continent contingent contrevent
    convalescent convent corpulent couvent dent différend différent diligent dissent divergent dolent décadent
    décent délinquent effervescent efficient efflorescent effluent engoulevent entregent escarpent escient excellent
    excédent exigent expédient fervent flatulent florescent fluorescent fréquent fécuent gent grandiloquent imminent
    impatient impertinent impotent imprudent impudent impénitent incandescent incident incohérent incompétent
    inconscient inconséquent incontinent inconvénient indifférent indigent indolent indulgent indécent influent
    ingrédient inhérent innocent insolent insuffisant intelligent intermittent interrègnent intransigent iridescent
    irrévérent latent lent luminescent magnificent malcontent maltalent munificent mécontent négligent obédient
    occident omnipotent onguent opulent orient paravent parent patent patient permanent pertinent pestilent
    phosphorescent polyvalent pressent proéminent prudent précédent présent président prévalent purulent pénitent
    quotient quérulent repent ressent récent récipient récurrent réfringent régent résident réticent révérent sent
    sergent serpent somnolent souvent strident subséquent succulent suffisent suppléent surdent talent torrent
    tourment transcendent transparent trident truculent turbulent turgescent urgent vengent vent violent virulent
    véhément éloquent émergent éminent équivalent évent évident
    """
)
"""Words in -ent that rhyme with "vent"; those in -ment need no list."""

VERBS_ENT = words(
    """
    adhérent affluent argent arpent content convergent couvent différent divergent excellent excédent expédient
    ferment influent négligent parent patent précédent président résident serpent violent émergent équivalent
    """
)
"""Words of these that are forms of verbs as well, with a mute ending."""

MUTE_MENT = re.compile(
    r"(?:(?:^|ess)aim|(?:cl|br|tr|ent|aff|diff)am|[èêâô]m|ab[iî]m|^(?:r|l|m|pr|est|an|ran|arr|escr|déc|subl|pér|env?en)im"
    r"|pr?im|estim|anim|envenim|subl?im|légitim|intim|décim|escrim|grim|(?:^|[^oai]l|hum|exh|ons|parf|éc|rés|prés|ass|inh|embr|pl|f|all)um"
    r"|omm|flamm|(?:f|d)orm|[chlg](?:h?a|e)rm|arm|germ|[fi]erm|firm|rhum|calm|film|baum|paum|^chaum|progr?amm|gomm)ent$"
)
"""Forms of verbs in -ment, with a mute ending."""

SOUNDED_MENT = words(
    """
    clément comment compliment ferment firmament moment récemment sarment serment tourment véhément
    """
)
"""Words in -ment that only look like such forms."""

SOUNDED_ER = words(
    """
    abner acquiers alger amer asser auster avers belvéder cancer cer cher conquiers convers cuiller divers dollar
    enfer envers esther fer fier fraser gulf-stream hier hiver homer jupiter lucifer luther magister master mer
    niger outremer over pater pervers poker prosper quaker reporter requiers revers ser sers steamer tender ter
    thaler tiers travers under univers ver vers vétiver werther weser éther
    """
)
"""Words whose last "er" is not that of an infinitive."""

SILENT_LAST = words(
    """
    accroc baril broc caoutchouc chenil clef clerc courtil coutil croc cul escroc estomac fenil fournil fusil gentil
    gril joug marc nombril outil persil porc sourcil soûl tabac
    """
)
"""Words whose last consonant is silent though it usually sounds."""

SOUNDED_LAST = words(
    """
    abject abrupt aconit ajax alep alfred alix astyanax azimut bagdad bang borax brut but béatrix cadix cap cep
    christ chut cid climax club codex comput concept correct cortez david direct district dot déficit est exact
    exeat fat fez félix gaz granit grog hanap hop huit index infect intact jacob jalap job julep larynx lest lynx
    madrid magnificat mat murex nabab net occiput onyx ouest phénix pollux prétérit rapt rhumb rob rut scorbut sept
    silex soit-disant sphinx stop storax strict styx sud suez suspect syrinx tact talmud test thorax transit ut
    verdict vertex zigzag zist zut échec
    """
)
"""Words whose last consonant sounds though it is usually silent."""

SOUNDED_S = words(
    """
    abbas achès adonis agnès albatros aloès amaryllis ananias angélus anubis arcturus argos argus arras artémis as
    athos atlas bacchus barabbas bis blocus brutus cactus calchas calvados cassis caïphas caïus cers chaos chios
    chloris clovis cocytus convolvulus crocus crésus cypris cyrus cérès danaüs daphnis darius dumas délos eucalyptus
    fabius fils florès fœtus gers gratis herculès hiatus hélas héros ibis inès iris isis jadis janus jonas judas
    jésus kronos las laïs lesbos lis londres lotus léonidas madras marius mars maïs memphis midas minos moeurs momus
    moralès myrtis mérinos métis mœurs naxos naïs oasis obus omnibus orcus os osiris ours pallas palmarès paphos
    papyrus pathos phyllis phébus plus prospectus pyrrhus pâris périclès rhinocéros romulus rébus régulus samos sens
    sirius stras sémiramis tamaris tennis thanatos thaïs thomas thémis thétis titus tournevis tous tros typhus
    ulysses uranus us varus vasco virus vis vénus xerxès éos éros
    """
)
"""Words in s that are said with it too, or were."""
