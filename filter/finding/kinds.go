package finding

// The catalogue of kinds. A line is never renamed or removed once released;
// docs/findings.md is made from it.

const (
	// What we could not do.
	InspectFailed     Kind = "inspect.failed"
	InspectIncomplete Kind = "inspect.incomplete"
	LimitReached      Kind = "limit.reached"
	MessageOversize   Kind = "message.oversize"

	// Message structure (RFC 2045, 2046, 5322).
	MimeMalformed   Kind = "mime.malformed"
	MimeConflict    Kind = "mime.conflict"
	MimeBoundary    Kind = "mime.boundary-ambiguous"
	MimeEncoding    Kind = "mime.encoding-ambiguous"
	MimeUndeclared  Kind = "mime.undeclared"
	MimeControl     Kind = "mime.control"
	MimePartial     Kind = "mime.partial"
	MimeExternal    Kind = "mime.external"
	TextEncodedFile Kind = "text.encoded-file"

	// The author that the reader sees (RFC 5322 §3.6.2).
	FromMissing   Kind = "header.from-missing"
	FromMultiple  Kind = "header.from-multiple"
	FromDeceptive Kind = "header.from-deceptive"
	FromAmbiguous Kind = "header.from-ambiguous"

	// Who is answered, and who is shown as the sender.
	ReplyDeceptive  Kind = "header.reply-deceptive"
	SenderDeceptive Kind = "header.sender-deceptive"

	// Names and their disguises (UAX #9, UTS #39).
	NameReordered       Kind = "name.reordered"
	NameInvisible       Kind = "name.invisible"
	NamePadded          Kind = "name.padded"
	NameDoubleExtension Kind = "name.double-extension"
	NameTrailing        Kind = "name.trailing"
	NameStream          Kind = "name.stream"
	NameClassID         Kind = "name.class-id"
	NameLookalike       Kind = "name.lookalike"
	NameControl         Kind = "name.control"
	NamePath            Kind = "name.path"
	NameEscaped         Kind = "name.escaped"
	NameConflict        Kind = "name.conflict"
	NameLong            Kind = "name.long"
	NameForbidden       Kind = "name.forbidden"
	NameDevice          Kind = "name.device"

	// Content and type.
	TypeMismatch Kind = "type.mismatch"
	TypePolyglot Kind = "type.polyglot"

	// Containers.
	ContainerEncrypted Kind = "container.encrypted"
	ContainerDecrypted Kind = "container.decrypted"
	ContainerUnopened  Kind = "container.unopened"
	ContainerMethod    Kind = "container.method-unsupported"
	ContainerBroken    Kind = "container.broken"
	ContainerChecksum  Kind = "container.checksum"
	ContainerConflict  Kind = "container.conflict"
	ContainerHidden    Kind = "container.hidden-member"
	ContainerOverlap   Kind = "container.overlap"
	ContainerDuplicate Kind = "container.duplicate-name"
	ContainerLink      Kind = "container.link-outside"
	ContainerPrefix    Kind = "container.prefix"
	ContainerTrailing  Kind = "container.trailing"
	ContainerVolume    Kind = "container.volume"

	// Links (WHATWG URL, public suffix list).
	LinkMismatch  Kind = "link.mismatch"
	LinkScheme    Kind = "link.scheme"
	LinkDeceptive Kind = "link.deceptive"
	LinkProgram   Kind = "link.file"
	LinkForm      Kind = "link.form"
)

// Info describes a kind to people.
type Info struct {
	Kind   Kind
	En, Ja string
}

// Kinds is the closed catalogue, in the order of the manual.
var Kinds = []Info{
	{InspectFailed, "The inspection broke off by our own fault or by time; the message was not read to its end.", "こちらの不具合または時間切れで検査が中断し、メールを最後まで読めていない。"},
	{InspectIncomplete, "A part of the message could not be inspected; another finding at the same path says why.", "メールの一部を検査できなかった。理由は同じ場所の別の所見にある。"},
	{LimitReached, "The message needs more work than one message may cost (evidence: which limit).", "一通のメールに許す作業量(証拠にどの上限かを示す)を超えた。"},
	{MessageOversize, "The message is larger than the configured maximum and was not inspected.", "設定した上限より大きいため検査していない。"},
	{MimeMalformed, "The MIME structure is broken in a way that programs repair differently (evidence: how).", "MIME の構造が壊れており、ソフトごとに補い方が違う。"},
	{MimeConflict, "A header field that may stand once stands several times with different content.", "一つだけのはずの欄が、違う内容で複数ある。"},
	{MimeBoundary, "The boundary can be read in several ways.", "境界(boundary)の読み方が一つに定まらない。"},
	{MimeEncoding, "The transfer encoding is unknown, contradictory or broken; the body was decoded in every way that fits.", "転送符号化が未知・矛盾・破損のため、考えられるすべての方法で復号した。"},
	{MimeUndeclared, "A part stands where the standard has none: outside the boundaries or in a leaf.", "本来パートのない場所(境界の外など)にパートがある。"},
	{MimeControl, "A header holds NUL, a bare CR or LF, or another control byte.", "ヘッダーに NUL や単独の CR・LF などの制御文字がある。"},
	{MimePartial, "A fragment of a message (message/partial): the whole cannot be seen.", "分割されたメール(message/partial)で、全体が見えない。"},
	{MimeExternal, "The content is to be fetched from elsewhere (message/external-body).", "内容を外部から取り寄せさせる形式(message/external-body)。"},
	{TextEncodedFile, "A file stands encoded within text (uuencode and the like).", "本文中に uuencode などで符号化したファイルがある。"},
	{FromMissing, "There is no From field, or it holds no address.", "From 欄がない、またはアドレスがない。"},
	{FromMultiple, "There are several From fields, or several addresses in one.", "From 欄が複数ある、または一つの欄に複数のアドレスがある。"},
	{FromDeceptive, "The display name of From shows an address that is not the author's.", "From の表示名が、実際と違うアドレスを見せている。"},
	{FromAmbiguous, "Mail programs read different authors out of the From field (evidence: the usual addresses and the others).", "From 欄の読み方によって差出人が変わる(証拠: 通常の読みとほかの読み)。"},
	{ReplyDeceptive, "The display name of Reply-To shows an address that answers do not go to.", "Reply-To の表示名が、実際の返信先と違うアドレスを見せている。"},
	{SenderDeceptive, "The display name of Sender shows an address that is not the sender's.", "Sender の表示名が、実際と違うアドレスを見せている。"},
	{NameReordered, "Bidirectional controls change the order in which the name is shown.", "双方向制御文字(RLO など)で名前の表示順が変わる。"},
	{NameInvisible, "Invisible characters stand in or near the extension.", "拡張子の中や近くに見えない文字がある。"},
	{NamePadded, "Blanks push the extension out of sight.", "空白で拡張子を見えない所へ押し出している。"},
	{NameDoubleExtension, "A document's extension stands before the true one.", "本当の拡張子の前に文書の拡張子がある(二重拡張子)。"},
	{NameTrailing, "Dots, blanks or quotes after the extension, which Windows removes.", "拡張子の後に、Windows が取り除く点・空白・引用符がある。"},
	{NameStream, "An NTFS stream is named.", "NTFS のストリームを指している。"},
	{NameClassID, "A class identifier stands in place of the extension.", "拡張子の位置に CLSID がある。"},
	{NameLookalike, "The extension is written with full-width or look-alike characters.", "拡張子が全角文字や似た形の文字で書かれている。"},
	{NameControl, "The name holds control characters, NUL among them.", "名前に NUL などの制御文字がある。"},
	{NamePath, "The name holds a path: separators, drive, or parent folders.", "名前にパス(区切り、ドライブ、親フォルダー)がある。"},
	{NameEscaped, "The name becomes another when escapes in it are decoded.", "名前の中のエスケープを解くと別の名前になる。"},
	{NameConflict, "The candidate names of one entity end in different extensions.", "一つのファイルの名前の候補で拡張子が食い違う。"},
	{NameLong, "The name is longer than programs show or keep.", "名前が、ソフトの表示・保存できる長さを超えている。"},
	{NameForbidden, "Characters that Windows forbids, or bytes without a meaning, part the letters of an extension; programs that drop them leave another.", "Windows で使えない文字や読めないバイトが拡張子の文字を分けており、取り除くソフトでは別の拡張子になる。"},
	{NameDevice, "Windows takes the name for a device (CON, NUL, COM1).", "Windows が装置名(CON、NUL、COM1 など)とみなす名前。"},
	{TypeMismatch, "The content is of another type than the name says.", "内容の種類が名前の示すものと違う。"},
	{TypePolyglot, "The content is valid as several types at once.", "内容が同時に複数の種類として成り立つ。"},
	{ContainerEncrypted, "A member, a document, or the list of members needs a password that was not known; names that stand open are judged nevertheless.", "中身・文書・一覧のいずれかが、分からないパスワードで守られている(見える名前は判定に使う)。"},
	{ContainerDecrypted, "A member that needs a password was opened with one and inspected (evidence: where the password came from, never the password).", "パスワードで守られた中身を開いて検査した(証拠はパスワードの出どころ。パスワード自体は残さない)。"},
	{ContainerUnopened, "A known container that this version does not open.", "種類は分かるが、この版では開かない書庫。"},
	{ContainerMethod, "A member is packed with a method that we do not unpack.", "展開できない圧縮方式の中身がある。"},
	{ContainerBroken, "The container is cut or damaged.", "書庫が途中で切れているか壊れている。"},
	{ContainerChecksum, "A member's checksum does not match its content.", "中身が検査合計と合わない。"},
	{ContainerConflict, "Two records of one member disagree (evidence: in what).", "一つの中身についての二つの記録が食い違う。"},
	{ContainerHidden, "A member is missing from the list that most programs show.", "多くのソフトが見せる一覧にない中身がある。"},
	{ContainerOverlap, "Members share the same bytes.", "複数の中身が同じ領域を共有している。"},
	{ContainerDuplicate, "Two members have the same name.", "同じ名前の中身が二つある。"},
	{ContainerLink, "A link in the container leads out of it (evidence: where to).", "書庫の中のリンクが書庫の外を指している。"},
	{ContainerPrefix, "Other data stands before the container.", "書庫の前に別のデータがある。"},
	{ContainerTrailing, "Other data stands after the container.", "書庫の後に別のデータがある。"},
	{ContainerVolume, "One volume of several: the rest is missing.", "分割書庫の一部だけで、残りがない。"},
	{LinkMismatch, "The text shows one site, the link goes to another.", "表示されたサイトと実際のリンク先が違う。"},
	{LinkScheme, "A link whose scheme starts a program or opens a local file.", "プログラムを起動する、または手元のファイルを開くリンク。"},
	{LinkDeceptive, "The address is written to be misread: user part, look-alike or mixed scripts, odd number forms.", "読み違えを誘う書き方のリンク(ユーザー部、似た文字、数値表記など)。"},
	{LinkForm, "A form asks for a password and sends it to another host (evidence: where).", "パスワードを入力させて外部へ送るフォームがある(証拠: 送り先)。"},
	{LinkProgram, "A link straight to a file (evidence: its extension).", "ファイルへ直接のリンク(証拠: 拡張子)。"},
}
