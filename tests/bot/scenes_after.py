"""What a tour does from the launch on, and everything beside mailings. `touring.Tour` says how to read it."""

LAUNCH = """
    @Ostap
    /new For a few
    > Hello!
    /audience
    > vip
    l
    > tomorrow 10:00
    l:zone
    l:now
    l:when
    > tomorrow 11:00
    l:speed
    l:few
    > 2
    l:few=
    l
    l:check
    o:see
    l:check
    /check
    l:go
    m:open
    m:edit
    /send
    l:now
    /launch
    l:go
    /now
    m:cancel?
    m:cancel
    m:again?
    m:again
    /new And one more
    > Hello!
    /audience
    > vip
    /launch
    l:go
    """

APPROVAL = """
    @Olha
    /check 1
    ap:ask
    @Ostap
    /start
    ap
    ap:open
    ap:no
    ap:no=
    @Olha
    /check 1
    ap:ask
    @Ostap
    /approval
    ap:open
    ap:no
    > Not today
    @Olha
    /check 1
    ap:ask
    ap:back
    /check 1
    ap:ask
    @Ostap
    /approval 1
    ap:look
    ap:yes
    """

STEERING = """
    @Olha
    /now
    now
    m:about
    m:see
    m:open
    m:slower
    m:faster
    m:speeds
    m:speed
    m:stop
    @Ostap
    /now
    m:go
    m:stop
    h
    /go
    h
    stop
    go
    /stop
    /go 1
    @Olha
    /pause 1
    m:resume
    m:pause
    /resume 1
    /slower 1
    /faster 1
    /speed 1 10
    /cancel 1
    m:open
    m:cancel?
    m:cancel
    m:again?
    """

LISTS = """
    @Olha
    /mailings
    > Kept
    m:copy
    /copy 1
    /edit 2
    /delete 2
    m:open
    /mailings 2
    m:delete?
    m:delete
    """

AFTER = """
    @Olha
    /mailings 1
    af
    af:failed
    /resend 1
    /after 1
    af:who
    af:to * sent
    > Sorry, it is tomorrow
    /failed 1
    m:failed+
    m:failed
    /mailings 1
    m:unknown
    m:leave
    /report 1
    /mailings 1
    m:about
    m:report
    m:open
    m:away
    m:back
    /archive 1
    /archive
    m:open
    m:back
    /mailings
    m:old
    /correct 1
    af:text
    > Hello again!
    af:fix
    af:link
    > https://acme.test/right
    af:go
    af:stop
    /takeback 1
    af
    af:back?
    af:back
    af:stop
    af
    af:at
    /unknown 1
    m:repeat
    """

NUMBERS = """
    @Maria
    /stats
    s:of 1
    s:why
    s:of 1
    s:by
    s
    s:of 1
    s:file
    /stats
    s:of 8
    s:with
    s:two
    > yesterday
    s:last
    /stats
    s:since week
    s:before
    s:since
    s:files
    /stats
    s:chan
    s:on
    /stats
    > 1
    /digest
    d:new day
    > 9:30
    d:zone
    > Warsaw
    d:now
    d
    d:new week
    d:hours
    d:at
    d:of
    d:off
    """

CLIENTS = """
    @Ostap
    k
    > e
    k:more
    > Client
    k:of
    k:tags
    > gold
    k:untag
    k:tag
    k:of
    k:why
    > 1
    k:why
    k:why!
    k:of
    k:out
    k:out!
    k:in
    k:in!
    > She asked on the phone
    k:export
    k:of
    k:merge
    > Iryna
    k:merge?
    k:merge!
    /mainchannel Bob
    k:main!
    k:main
    /tag Ann
    /optout Ann
    k:out!
    /optin Ann
    /merge Ann
    /export Ann
    /why 1 Ann
    /clients Max
    k:erase?
    k:erase
    /erase Client5
    """

PEOPLE = """
    @Ostap
    /people
    p
    p:new
    > Petro
    p:role! approver
    p:revoke
    /invite Petro operator
    @Petro
    /join {code}
    @Ostap
    p
    p:of #Petro
    p:again
    p
    p:of #Petro
    p:role
    p:out?
    p:out
    /join
    """

CHANNELS = """
    @Olha
    /channels
    ch
    ch:top
    > 500
    /topup tg-club 5000
    ch:ask
    /copy 1
    /copy 1
    /copy 1
    /copy 1
    /copy 1
    /copy 1
    /copy 1
    /copy 1
    /copy 1
    /mailings
    > Spring
    m:found
    """
