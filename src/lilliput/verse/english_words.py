"""English words whose sound does not follow from their spelling by the rules of `english_sounds`.

A "/" separates two sounds of one spelling.
"""

from lilliput.verse.spelling import pairs

SOUNDS = pairs(
    """
    above:abuv abuse:abWs/abWz adieu:adW again:agAn/agen against:agAnst/agenst allow:alH ally:alI alone:alOn
    another:anuDər any:enĭ approve:aprWv are:ar as:az aver:avR away:əwA bead:bEd bear:bAr beard:bErd beauty:bWtĭ
    become:bekum been:bin/bEn below:belO bestow:bestO betray:betrA better:betər bevel:bevəl birth:bRT blood:blud
    blown:blOn book:bUk bough:bH bow:bH/bO bread:bred break:brAk breast:brest breath:breT bred:bred brood:brWd
    brother:bruDər brow:brH bruise:brWz build:bild built:bilt bull:bUl bus:bus bush:bUS busy:bizĭ buy:bI by:bI
    cease:sEs child:cIld children:cildren clever:klevər close:klOz/klOs comb:cOm come:kum conceit:konsEt
    confer:konfR convey:konvA cough:kof could:kUd counterfeit:kHntRfit country:kuntrĭ couple:kupəl course:kCrs
    court:kCrt cover:kuvər cow:kH crease:krEs creature:krEcər cruel:krWəl dead:ded death:deT decease:desEs
    deceit:desEt deceive:desEv defer:defR defy:defI deliver:delivər deny:denI deter:detR die:dI disguise:disgIz
    do:dW dome:dOm done:dun dose:dOs double:dubəl dove:duv dread:dred driven:drivən duty:dWtĭ early:Rlĭ earth:RT
    either:EDər/IDər endow:endH enough:enuf even:Evən ever:evər everywhere:evrEwAr excel:eksel excuse:ekskWs/ekskWz
    expel:ekspel expiate:ekspEAt eye:I eyes:Iz father:faDər feather:feDər fever:fEvər flood:flud flown:flOn fly:flI
    food:fWd foot:fUt forbear:forbAr forego:forgO forfeit:forfit forgive:forgiv fortify:fortifI four:fCr fourth:fCrT
    friend:frend fruit:frWt fuel:fWəl full:fUl gas:gas gay:gA give:giv given:givən glass:glas gone:gon good:gUd
    great:grAt greater:grAtər grey:grA grown:grOn guard:gard guest:gest guide:gId guile:gIl guilt:gilt guy:gI
    has:haz have:hav head:hed health:helT heard:hRd hearse:hRs heart:hart hearth:harT heaven:hevən heavens:hevənz
    height:hIt heir:Ar held:held her:hR herd:hRd high:hI his:hiz home:hOm hotel:hOtel house:hHs how:hH
    improve:imprWv increase:inkrEs infer:infR inhearse:inhRs instead:insted inter:intR is:iz jewel:JWəl juice:JWs
    key:kE known:nOn laugh:laf lead:lEd/led learn:lRn leather:leDər leisure:lEZər/leZər lie:lI live:liv/lIv lone:lOn
    look:lUk lose:lWz love:luv lover:luvər many:menĭ measure:meZər mild:mIld mood:mWd mother:muDər mourn:mCrn
    mouse:mHs move:mWv my:mI nature:nAcər neither:nEDər/nIDər never:nevər none:nun now:nH o'er:Oər obey:obA oer:Oər
    one:wun other:uDər over:Ovər overthrow:OvərTrO own:On peace:pEs pear:pAr pearl:pRl people:pEpəl phrase:frAz
    plead:plEd pleasure:pleZər plough:plH pour:pCr praise:prAz prefer:prefR pretty:pritĭ prey:prA prove:prWv
    pull:pUl push:pUS put:pUt quay:kE quite:kwIt quiver:kwivər rather:raDər read:rEd/red rebel:rebel receive:resEv
    recruit:rekrWt refer:refR refuse:refWz rehearse:rehRs release:relEs rely:relI remove:remWv reply:replI
    reprove:reprWv review:revW river:rivər rome:rOm rose:rOz rough:ruf said:sed says:sez search:sRc seize:sEz
    seven:sevən sever:sevər sew:sO shoe:SW shoot:SWt should:SUd shown:SOn sign:sIn sir:sR sky:skI sleight:slIt
    smother:smuDər some:sum son:sun soul:sOl source:kCrs sown:sOn spirit:spirit spread:spred steak:stAk
    stealth:stelT stir:stR stood:stUd subsist:subsist suit:sWt survey:survA swear:swAr sweat:swet tear:tAr/tEr
    their:DAr there:DAr these:DEz they:DA this:Dis thorough:TurO those:DOz thou:DH though:DO thread:Tred threat:Tret
    throne:TrOn through:TrW thrown:TrOn thus:Dus thy:DI tie:tI to:tW together:tugeDər tomb:tWm tongue:tuN too:tW
    took:tUk touch:tuc tough:tuf tread:tred treasure:treZər trouble:trubəl truth:trWT two:tW unbred:unbred undo:undW
    unrest:unrest us:us use:Ws/Wz verse:vRs vie:vI view:vW vow:vH was:woz water:wCtər wealth:welT wear:wAr
    weather:weDər weight:wAt welcome:welkum were:wR where:wAr whether:weDər who:hW whose:hWz why:wI wild:wIld
    wind:wind/wInd wolf:wUlf woman:wUmən womb:wWm women:wimən won:wun wood:wUd word:wRd work:wRk world:wRld worm:wRm
    worse:wRs worst:wRst worth:wRT would:wUd ye:yE year:yEr yearn:yRn yes:yes yet:yet yore:yCr you:W young:yuN
    your:yWr youth:WT
    """
)
"""The sounds of single words."""
