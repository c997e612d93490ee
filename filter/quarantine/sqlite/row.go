package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"sekisho/filter/quarantine"
)

// recordSchema is the version of what stands in ID.json and in column record.
const recordSchema = 1

// record is an item as it is written down: in full, so that either copy can
// make the other anew.
type record struct {
	Schema int `json:"schema"`
	quarantine.Item
}

func encode(it quarantine.Item) ([]byte, error) {
	return json.Marshal(record{recordSchema, it})
}

// columns are what scanItem reads; they win over the record, which is as old
// as the mail.
const columns = `i.record, i.state, i.since, i.actor, i.count, i.last_seen, i.last_reply, i.maybe_sent, i.damage`

func scanItem(row scanner) (quarantine.Item, error) {
	var (
		raw         string
		st          quarantine.Standing
		since, last int64
		rec         record
	)
	err := row.Scan(&raw, &st.State, &since, &st.By, &st.Count, &last, &st.LastReply, &st.MaybeSent, &st.Damage)
	if errors.Is(err, sql.ErrNoRows) {
		return rec.Item, quarantine.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(raw), &rec)
	}
	st.Since, st.LastSeen = fromMicro(since), fromMicro(last)
	rec.Standing = st
	return rec.Item, err
}

func fromMicro(n int64) time.Time { return time.UnixMicro(n).UTC() }

const insertItem = `INSERT INTO item (id, received, state, since, actor, count, last_seen, last_reply,
	maybe_sent, damage, rule, sender, rcpts, sha256, size, retry_key, record)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`

// insert lists it; false says that its ID was listed already.
func (t *tx) insert(it quarantine.Item) (bool, error) {
	rec, err := encode(it)
	if err != nil {
		return false, err
	}
	n, err := t.exec(insertItem, string(it.ID), it.Received.UnixMicro(), string(it.State), it.Since.UnixMicro(),
		it.By, it.Count, it.LastSeen.UnixMicro(), it.LastReply, it.MaybeSent, it.Damage,
		it.Rule, fold(it.MailFrom), fold(strings.Join(it.Rcpts, "\n")), it.SHA256, it.Size, it.RetryKey(), string(rec))
	if err == nil && n == 1 && !it.Awaits.IsZero() {
		_, err = t.exec(`INSERT INTO waiting (id) VALUES (?) ON CONFLICT (id) DO NOTHING`, string(it.ID))
	}
	return n == 1, err
}

// fold makes text that is searched without regard to case.
func fold(s string) string { return strings.ToLower(s) }

func (t *tx) item(id quarantine.ID) (quarantine.Item, error) {
	return scanItem(t.row(`SELECT `+columns+` FROM item i WHERE id = ?`, string(id)))
}

// stand writes the standing of id.
func (t *tx) stand(id quarantine.ID, st quarantine.Standing) error {
	_, err := t.exec(`UPDATE item SET state = ?, since = ?, actor = ?, count = ?, last_seen = ?, last_reply = ?,
		maybe_sent = ?, damage = ? WHERE id = ?`, string(st.State), st.Since.UnixMicro(), st.By, st.Count,
		st.LastSeen.UnixMicro(), st.LastReply, st.MaybeSent, st.Damage, string(id))
	return err
}

// audit adds e to the end of the log.
func (t *tx) audit(e quarantine.Entry) error {
	err := t.row(`SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&e.Seq, &e.Prev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	e.Seq++
	e.Hash = e.Sum()
	return t.append(e)
}

func (t *tx) append(e quarantine.Entry) error {
	_, err := t.exec(`INSERT INTO audit (seq, at, actor, action, outcome, id, reason, detail, prev, hash)
		VALUES (?,?,?,?,?,?,?,?,?,?)`, e.Seq, e.At.UnixMicro(), e.Actor, e.Action, e.Outcome,
		string(e.ID), e.Reason, e.Detail, e.Prev, e.Hash)
	return err
}

// Get returns one item.
func (s *Store) Get(ctx context.Context, id quarantine.ID) (quarantine.Item, error) {
	doing := "reading " + string(id)
	if _, err := quarantine.ParseID(string(id)); err != nil {
		return quarantine.Item{}, err
	}
	row := s.index.Load().read.QueryRowContext(ctx, `SELECT `+columns+` FROM item i WHERE id = ?`, string(id))
	it, err := scanItem(row)
	return it, wrap(doing, s.seen(err))
}

// Releasing says whether a mail of these bytes is being released now.
func (s *Store) Releasing(ctx context.Context, sha256 string) (bool, error) {
	var n int
	err := s.index.Load().read.QueryRowContext(ctx,
		`SELECT count(*) FROM item WHERE state = 'releasing' AND sha256 = ?`, sha256).Scan(&n)
	return n > 0, wrap("asking for releases", blamed(translate(s.seen(err))))
}

// List returns the items that f chooses, newest first. The inner select is
// answered from the index item_list alone.
func (s *Store) List(ctx context.Context, f quarantine.Filter) ([]quarantine.Item, error) {
	where, args := conditions(f)
	limit := f.Limit
	if limit <= 0 {
		limit = -1
	}
	rows, err := s.index.Load().read.QueryContext(ctx, `SELECT `+columns+` FROM (
			SELECT id FROM item INDEXED BY item_list`+where+` ORDER BY received DESC, id DESC LIMIT ?
		) k CROSS JOIN item i ON i.id = k.id ORDER BY i.received DESC, i.id DESC`, append(args, limit)...)
	if err != nil {
		return nil, wrap("listing", s.seen(err))
	}
	items, err := collect(rows, scanItem)
	return items, wrap("listing", s.seen(err))
}

func conditions(f quarantine.Filter) (string, []any) {
	var where []string
	var args []any
	add := func(use bool, cond string, arg any) {
		if use {
			where, args = append(where, cond), append(args, arg)
		}
	}
	add(!f.Since.IsZero(), "received >= ?", f.Since.UnixMicro())
	add(!f.Until.IsZero(), "received < ?", f.Until.UnixMicro())
	add(f.Before != "", "(received, id) < (SELECT b.received, b.id FROM item b WHERE b.id = ?)", string(f.Before))
	add(f.State != "", "state = ?", string(f.State))
	add(f.Rule != "", "rule = ?", f.Rule)
	add(f.Sender != "", "instr(sender, ?) > 0", fold(f.Sender))
	add(f.Recipient != "", "instr(rcpts, ?) > 0", fold(f.Recipient))
	if len(where) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(where, " AND "), args
}

func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

const selectAudit = `SELECT seq, at, actor, action, outcome, id, reason, detail, prev, hash
	FROM audit WHERE ?1 = '' OR id = ?1 ORDER BY seq`

// Audit returns what was done to id, or to all for "", oldest first.
func (s *Store) Audit(ctx context.Context, id quarantine.ID) ([]quarantine.Entry, error) {
	rows, err := s.index.Load().read.QueryContext(ctx, selectAudit, string(id))
	if err != nil {
		return nil, wrap("reading the audit log", s.seen(err))
	}
	log, err := collect(rows, scanEntry)
	return log, wrap("reading the audit log", s.seen(err))
}

func scanEntry(row scanner) (quarantine.Entry, error) {
	var e quarantine.Entry
	var at int64
	err := row.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Outcome, &e.ID, &e.Reason, &e.Detail, &e.Prev, &e.Hash)
	e.At = fromMicro(at)
	return e, err
}
