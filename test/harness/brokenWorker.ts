/** The code of a relay worker that does not even start. */
throw new Error('as if a library were missing');
