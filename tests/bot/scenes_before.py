"""What a tour does before a launch: message, audience, segments, templates, tests. `touring.Tour` tells how to read."""

MESSAGE = """
    @Olha
    /start
    /menu
    h:help
    h
    c:new
    > Hello, {{ client.first_name }}!
    f:word
    > friend
    c:see
    /preview
    c:who
    > Bohdan
    c:m
    c:name
    > Spring sale
    c:edit
    > Hello, {{ client.name }}!
    f:friend
    > And one more
    c:heard add
    b
    b:new link
    > Open
    > https://acme.test
    b:new message
    > Tell me more
    > Tell me
    b:new buy
    > Take it
    > SKU-1
    b:free
    b:new buy
    > Take two
    > SKU-2
    > 19.90 EUR
    b:one 0
    b:ask label
    > Open it
    b:move down
    b:on
    b:cut 0
    > Read - https://acme.test/more
    /buttons
    c:m
    e all
    e:of all 0
    f
    f:of
    f:put start
    f
    f:of
    > Hello
    e
    e:add location
    > 50.45, 30.52
    e:of all 2
    e:up
    e:down
    e:cut
    e:add pictures
    + picture
    e:of all 2
    e:ask text
    > A caption
    e:bare
    e:pics
    + picture
    e:pup 1
    e:pcut 1
    e:see
    /pieces
    v:keep
    > Kept greeting
    /pieces
    v:keep
    v:as
    v
    v:new
    > A short greeting
    v:see
    v:name
    > Greeting
    v:copy
    v:copied
    /saved
    > Kept
    v:use
    /saved Greeting
    v:of
    v:delete?
    v:delete
    c:new
    e:first text
    > Piece by piece
    v:pick
    v:put
    c:m
    c:kinds
    c:only wa
    c:all
    e wa
    e:add text
    > Only here
    e:same
    c:m
    t
    t:list
    t
    t:use wa #sale\0en
    t:field
    t:back
    > first
    t:field
    t:bare
    t
    t:drop
    t:use wa #sale\0en
    t:field
    > friend
    t:field
    t:bare
    t
    t:use wa #photo\0uk
    + picture
    > spring
    t:skip
    c:leave
    /help
    /language
    h
    lang
    /menu
    m:list
    """

AUDIENCE = """
    @Olha
    /new For some
    > Hello!
    a
    a:if
    > city
    > Lviv
    a:grp
    a:cut
    a:f
    a:v * * known
    > city is Lviv
    a:mode any
    a:all
    > vip
    a:save
    > Regulars
    a:free
    a:segs
    a:use
    a:segs
    > Regulars
    a:all
    > vip
    a:save
    > Regulars
    a:save!
    a:count
    a:via
    a:via= #tg-shop
    a:via= #wa-shop
    a:via+ cascade
    a:via+ main
    a
    who a
    who a * all
    who a * lost
    > Ann
    /audience
    a:file+
    + file
    a:rows
    a:file
    a:file= known
    a:file+
    + file
    a:cols
    a:col
    a:col=
    a
    a:file+
    + file
    a:file= all
    a:all
    """

OUTCOMES = """
    @Olha
    /new About the first
    > Hello!
    a
    a:if
    a:ml
    a:mo
    a:mo+ * read
    a:if
    a:ml
    > 1
    a:mo+ * not_sent
    > city is Kyiv
    > city is Lviv
    > city is Odesa
    > language is en
    > language is uk
    > last_name is Lee
    > first_name is Ann
    > phone is 1
    a:terms
    a:cut
    a:all
    """

SEGMENTS = """
    @Olha
    /segments
    > Ukrainians
    g:list
    g:new
    > Fresh
    g:if
    > city
    > Lviv
    g:grp
    g:f
    g:v
    g:if
    > city is Lviv
    g:mode any
    g:cut
    g:if
    g:ml
    g:mo
    g:mo+
    g:if
    g:ml
    > 1
    g:mo+ * not_read
    ? ltv of nothing
    g
    who g
    g:of
    g:count
    g:mail
    > Hello to the fresh
    /segments Ukrainians
    g:delete?
    g:delete
    """

COUNTING = """
    @Olha
    /clients
    q
    q:f
    q:v
    q:if
    > city
    > Lviv
    q:grp
    q:mode any
    q:cut
    q:if
    q:ml
    q:mo
    q:mo+
    q:if
    q:ml
    > 1
    q:mo+ * not_read
    ? ltv of nothing
    q
    who q
    q
    q:segs
    q:use
    q:free
    q:save
    > By a question
    /clients
    q
    q:all
    q:mail
    > Hello to everybody
    """

TEMPLATES = """
    @Olha
    /new
    > Hello!
    t
    w
    /templates
    w:one
    w:list
    w:new
    > Spring Sale!
    w:take
    w:of
    w:next
    w:lang
    w:cat
    > Hi {{ client.first_name }}, everything is {{discount}} off!
    w:eg!
    > 30%
    w:field
    w:put
    > everything
    w:ask language
    > en-us
    w:eg
    w:eg=
    w:eg!
    w:ask head
    > Sale
    w:ask footer
    > Acme
    w:ask footer
    w:none
    w:btns
    w:bnew link
    > Open
    > acme.test/s/{{1}}
    > spring
    w:bcut
    w:of
    w:see
    w:go?
    w:go
    w:like
    w:cut?
    w:cut
    """

TRIAL = """
    @Olha
    /new
    > Hello!
    l:test
    > wa-shop 380501234567
    o:mine
    o:drop
    > wa-shop 380501234568
    l:test
    /test 1
    /check 1
    o:test
    /accounts
    """

TRIAL_OF_MANY = """
    @Olha
    /new
    > Hello!
    l:test
    o:all
    l:test
    o:to
    /accounts
    o:own
    """
