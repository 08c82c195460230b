-- Customers see consumption by its hours: lists of transactions and sums of deposits skip its entries, which are
-- nearly all there are.
create index ledger_entry_listed on ledger_entry (account_id, at desc, tx_id desc) where kind <> 'CONSUMPTION';
