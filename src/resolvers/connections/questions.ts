import { sql, type Sql } from '../../database/sql.ts';
import { INSTANCE_TTL_MS } from '../ledger/upkeep.ts';

/** An instance that has been silent for longer forwards nothing any more: it has no connections. */
const SILENT_MS = INSTANCE_TTL_MS / 2;
/** Questions that an instance answers at one look; the others wait for the next one. */
const MAX_QUESTIONS = 100;

const MS = `interval '1 millisecond'`;

const ASK = sql(
  'connectionsAsk',
  `with others as (
     select id from instance where state = 0 and id <> $2::uuid and ($3::uuid is null or id = $3::uuid)
       and seen_at > clock_timestamp() - ${SILENT_MS} * ${MS}
   ), asked as (
     insert into connection_question as q (id, asker_id, addressee_id, question, until)
     select $1::uuid, $2::uuid, $3::uuid, $4, clock_timestamp() + $5::bigint * ${MS} where exists (select from others)
     on conflict (id) do update set round = q.round + 1, question = excluded.question, until = excluded.until
     returning round
   )
   select others.id::text as instance_id, asked.round, a.round as answered, a.answer
   from others cross join asked
   left join connection_answer a on a.question_id = $1::uuid and a.instance_id = others.id`,
);

/** One of the others, and what it said last. */
export interface Asked {
  readonly instance_id: string;
  readonly round: number;
  /** The round that `answer` is for; null: it has not answered yet. */
  readonly answered: number | null;
  readonly answer: string | null;
}

/** A question to one other instance, or to all. */
export interface Posed {
  readonly id: string;
  readonly askerId: string;
  readonly addresseeId: string | null;
  readonly question: string;
  /** For how long the answer is waited for. */
  readonly forMs: number;
}

/** Asks, or asks again; nothing is written where nobody else is alive. @returns those that will answer */
export function ask(db: Sql, { id, askerId, addresseeId, question, forMs }: Posed): Promise<Asked[]> {
  return db.query<Asked>(ASK, [id, askerId, addresseeId, question, forMs]);
}

const COLLECT = sql(
  'connectionsCollect',
  'select instance_id::text as instance_id, answer from connection_answer where question_id = $1::uuid',
);

/** What has been said so far. */
export function collect(db: Sql, id: string): Promise<{ instance_id: string; answer: string }[]> {
  return db.query(COLLECT, [id]);
}

const DROP = sql('connectionsDrop', 'delete from connection_question where id = $1::uuid');

export async function drop(db: Sql, id: string): Promise<void> {
  await db.query(DROP, [id]);
}

const OPEN = sql(
  'connectionsOpenQuestions',
  `select q.id::text as id, q.round, q.question from connection_question q
   where q.asker_id <> $1::uuid and (q.addressee_id is null or q.addressee_id = $1::uuid)
     and q.until > clock_timestamp() and not exists (
       select from connection_answer a where a.question_id = q.id and a.instance_id = $1::uuid and a.round >= q.round
     )
   order by q.until limit ${MAX_QUESTIONS}`,
);

export interface OpenQuestion {
  readonly id: string;
  readonly round: number;
  readonly question: string;
}

/** What others wait for. */
export function openQuestions(db: Sql, instanceId: string): Promise<OpenQuestion[]> {
  return db.query<OpenQuestion>(OPEN, [instanceId]);
}

/** A question may be dropped at any time, and then needs no answer. */
const ANSWER = sql(
  'connectionsAnswer',
  `insert into connection_answer (question_id, instance_id, round, answer)
   select q.id, $1::uuid, n.round, n.answer
   from unnest($2::uuid[], $3::int[], $4::text[]) as n (id, round, answer)
   join connection_question q on q.id = n.id
   order by q.id for key share of q
   on conflict (question_id, instance_id) do update set round = excluded.round, answer = excluded.answer`,
);

export async function answerAll(
  db: Sql,
  instanceId: string,
  answers: readonly { readonly id: string; readonly round: number; readonly answer: string }[],
): Promise<void> {
  const columns = [answers.map(({ id }) => id), answers.map(({ round }) => round), answers.map((said) => said.answer)];
  await db.query(ANSWER, [instanceId, ...columns]);
}

/** Questions of instances that died while they waited stay behind for so long at least. */
const LEFT_MS = 60_000;

const FORGET = sql(
  'connectionsForget',
  `delete from connection_question where id in (
     select id from connection_question where until < now() - ${LEFT_MS} * ${MS} limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/** Deletes questions that nobody waits for any more, at most `limit`. @returns how many */
export async function deleteOverQuestions(db: Sql, limit: number): Promise<number> {
  return (await db.query(FORGET, [limit])).length;
}
