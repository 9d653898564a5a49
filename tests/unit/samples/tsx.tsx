import React from "react";
//     ^ import react - React
export const List = ({ items }: { items: string[] }) => <ul>{items.map((i) => <li key={i}>{i}</li>)}</ul>;
//           ^ function List
export default function App() { return <List items={[]} />; }
//                      ^ function App
