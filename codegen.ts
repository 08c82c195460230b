import type { CodegenConfig } from '@graphql-codegen/cli';

/** Types of the REST layer's operations. Scalars are opaque text: see rest-compat/scalars.ts. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: 'rest-compat/operations/*.graphql',
  generates: {
    'rest-compat/operations.generated.ts': {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        immutableTypes: true,
        inlineFragmentTypes: 'inline',
        useTypeImports: true,
        scalars: {
          Credits: './scalars.ts#CreditsText',
          Decimal: './scalars.ts#DecimalText',
          BigInt: './scalars.ts#BigIntText',
          DateTime: './scalars.ts#DateTimeText',
          Date: './scalars.ts#DateText',
          ID: './scalars.ts#GlobalId',
        },
      },
    },
  },
};

export default config;
